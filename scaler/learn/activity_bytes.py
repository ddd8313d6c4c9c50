"""How many bytes a running activity costs a worker, by a fading least-squares fit over workers and time. Pure.

Memory is fitted as base + per cached workflow × cached + per activity × running; only the last is used, since for
workflows the envelope says more.
"""

from operator import mul

from scaler.model.observation import Observation
from scaler.model.remembered import ActivityFit

FADE = 0.98
"""Weight of what was seen before, at each observation."""

YOUNGEST_SECONDS = 20.0
LEAST_WEIGHT = 20.0
"""Fewer observations than this fit noise."""

LEAST_SPREAD = 0.5
"""Variance of the running activities below which nothing can be told from them."""


def fed_fit(fit: ActivityFit, seen: Observation) -> ActivityFit:
    """The sums of the fit after one more observation."""
    rows = [
        (worker.cached, worker.activity_slots_used, worker.memory_bytes / 2**20)
        for worker in seen.ready
        if worker.memory_bytes is not None
        and worker.cached is not None
        and worker.activity_slots_used is not None
        and worker.age_seconds >= YOUNGEST_SECONDS
    ]
    if not rows:
        return fit
    cached, running, megabytes = zip(*rows, strict=True)
    sums = (
        len(rows),
        sum(cached),
        sum(running),
        sum(map(mul, cached, cached)),
        sum(map(mul, running, running)),
        sum(map(mul, cached, running)),
        sum(megabytes),
        sum(map(mul, cached, megabytes)),
        sum(map(mul, running, megabytes)),
    )
    before = fit.sums or (0.0,) * len(sums)
    return ActivityFit(tuple(round(FADE * old + new, 3) for old, new in zip(before, sums, strict=True)))


def bytes_per_activity(fit: ActivityFit) -> float:
    """The fitted cost of one running activity; zero until it can be told from the rest."""
    if not fit.sums or fit.sums[0] < LEAST_WEIGHT:
        return 0.0
    weight, cached, running, cached2, running2, both, memory, cached_memory, running_memory = fit.sums
    # Centred second moments: the intercept drops out, and two unknowns are left.
    cc = cached2 - cached * cached / weight
    rr = running2 - running * running / weight
    cr = both - cached * running / weight
    cm = cached_memory - cached * memory / weight
    rm = running_memory - running * memory / weight
    if rr / weight < LEAST_SPREAD:
        return 0.0
    determinant = cc * rr - cr * cr
    if determinant <= 0.05 * cc * rr:  # the two move together: what is whose can't be told
        return 0.0
    return max((cc * rm - cr * cm) / determinant, 0.0) * 2**20
