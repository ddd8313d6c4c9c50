"""How many bytes a running activity costs a worker, and how sure that is: a fading least-squares fit. Pure.

Memory is fitted as base + per cached workflow × cached + per activity × running, over readings of one moment: slots are
up to a minute old where memory is of now, and paired like that 40 MiB an activity came out as 5. Only the last figure
is used, since for workflows the envelope says more.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple

from scaler.model.observation import Observation, WorkerSeen
from scaler.model.remembered import ActivityFit, figure

FADES = timedelta(minutes=30)
"""What was seen longer ago counts for less than half."""

BEAT_SECONDS = 60.0
"""Between two heartbeats of a worker, at most. One is met in every observation until the next, so each meeting counts
for a part of it: else one reading, met twelve times, would pass for twelve."""

SAME_MOMENT_SECONDS = 5.0
"""Readings further apart are not paired; in a few seconds the activities of a worker are others."""

YOUNGEST_SECONDS = 20.0
LEAST_WEIGHT = 12.0
"""Fewer beats than this fit noise."""

BEATS_EACH = 2
"""A fleet of few workers takes long to that; after so many beats of each what can't be told apart stays so."""

LEAST_SPREAD = 0.5
"""Variance of the running activities below which nothing can be told from them."""

STILL = 0.5
"""Variance of what is cached below which it is taken as constant."""

COLLINEAR = 0.05
"""Where less than this part of the one's variance is not the other's, what is whose can't be told."""

SIGNIFICANT = 2.0
"""Standard errors above zero from which on a cost is believed."""

EXPLAINS = 1 / 3
"""Where activities explain so much of what memory varies by, the reduced major axis is taken: the mean of regressing
each on the other. Pairs that are a second or two apart draw plain least squares towards zero, as all errors of the
explaining figure do."""

PROVEN = 3.0
"""Standard errors from which on a cached workflow is shown to take memory beside activities that do."""

MIB = 2**20


class ActivityCost(NamedTuple):
    """Bytes of one running activity. Both are zero until they differ from zero significantly.

    `likely_bytes` is drawn towards zero as far as it is uncertain, so that noise which passes for significant once in
    a while changes little. `high_bytes` is the upper end of what it may be. `workflow_high_bytes` is that of a cached
    workflow, None while even the sign of that can't be told beside the activities.
    """

    likely_bytes: float = 0.0
    high_bytes: float = 0.0
    workflow_high_bytes: float | None = None


@dataclass(frozen=True, slots=True)
class _Moments:
    """Weight, means and centred sums of products of what is cached (c), what runs (r) and megabytes (m)."""

    weight: float = 0.0
    c: float = 0.0
    r: float = 0.0
    m: float = 0.0
    cc: float = 0.0
    rr: float = 0.0
    mm: float = 0.0
    cr: float = 0.0
    cm: float = 0.0
    rm: float = 0.0


def memory_at_beat(worker: WorkerSeen) -> int | None:
    """What a worker used when it told of its slots and caches; None where no reading is of that moment."""
    if worker.memory_at_beat_mib is not None:
        return worker.memory_at_beat_mib * MIB
    beat, sampled = worker.heartbeat_age_seconds, worker.memory_age_seconds
    if beat is None or sampled is None or abs(beat - sampled) > SAME_MOMENT_SECONDS:
        return None
    return worker.memory_bytes


def fed_fit(fit: ActivityFit, seen: Observation, elapsed_seconds: float) -> ActivityFit:
    """The moments of the fit after one more observation, so long after the one before."""
    rows = list(_rows(seen))
    if not rows or elapsed_seconds <= 0:
        return fit
    before = _moments(fit)
    kept = math.exp(-elapsed_seconds / FADES.total_seconds())
    after = _merged(before, kept, rows, min(elapsed_seconds / _between_beats(seen, elapsed_seconds), 1.0))
    return ActivityFit(tuple(figure(getattr(after, name)) for name in _Moments.__slots__))


def activity_cost(fit: ActivityFit) -> ActivityCost:
    """The fitted cost of one running activity."""
    x = _moments(fit)
    if x.weight < LEAST_WEIGHT or x.rr / x.weight < LEAST_SPREAD:
        return ActivityCost()
    still = x.cc / x.weight < STILL
    determinant = x.rr if still else x.cc * x.rr - x.cr * x.cr
    if not still and determinant <= COLLINEAR * x.cc * x.rr:
        return ActivityCost()
    cached = 0.0 if still else (x.rr * x.cm - x.cr * x.rm) / determinant
    running = x.rm / x.rr if still else (x.cc * x.rm - x.cr * x.cm) / determinant
    unexplained = max(x.mm - cached * x.cm - running * x.rm, 0.0) / (x.weight - 3)
    error = math.sqrt(unexplained * (1.0 if still else x.cc) / determinant)
    cached_error = math.inf if still else math.sqrt(unexplained * x.rr / determinant)
    if running <= SIGNIFICANT * error:
        return ActivityCost()
    certain = 1 - (SIGNIFICANT * error / running) ** 2
    high = running + SIGNIFICANT * error
    # What memory varies by beside the cache, and the part of it that goes with what runs.
    varies = x.mm if still else x.mm - x.cm * x.cm / x.cc
    explained = min(running * (x.rm if still else x.rm - x.cr * x.cm / x.cc) / varies, 1.0) if varies > 0 else 1.0
    if explained >= EXPLAINS:
        running /= math.sqrt(explained)
    told = cached > PROVEN * cached_error
    return ActivityCost(
        likely_bytes=certain * running * MIB,
        high_bytes=max(high, running) * MIB,
        workflow_high_bytes=(cached + SIGNIFICANT * cached_error) * MIB if told else None,
    )


def _between_beats(seen: Observation, elapsed_seconds: float) -> float:
    """The interval of heartbeats in seconds: the longest, unless all are younger than the observation before."""
    ages = [worker.heartbeat_age_seconds for worker in seen.ready if worker.heartbeat_age_seconds is not None]
    return elapsed_seconds if ages and max(ages) < elapsed_seconds else BEAT_SECONDS


def told_apart(fit: ActivityFit, workers: int) -> bool:
    """Whether what activities take was watched for long enough not to be taken for the cache's."""
    return _moments(fit).weight >= min(LEAST_WEIGHT, BEATS_EACH * workers)


def _rows(seen: Observation) -> Iterator[tuple[int, int, float]]:
    for worker in seen.ready:
        used_bytes = memory_at_beat(worker)
        cached, running = worker.cached, worker.activity_slots_used
        known = used_bytes is not None and cached is not None and running is not None
        if known and worker.age_seconds >= YOUNGEST_SECONDS:
            yield cached, running, used_bytes / MIB  # type: ignore[misc, operator]


def _moments(fit: ActivityFit) -> _Moments:
    return _Moments(*fit.moments) if len(fit.moments) == len(_Moments.__slots__) else _Moments()


def _merged(before: _Moments, kept: float, rows: Iterable[tuple[int, int, float]], weight: float) -> _Moments:
    """Fade what was, then take in the rows one by one (Welford): sums of squares would lose their digits."""
    total, c, r, m = kept * before.weight, before.c, before.r, before.m
    cc, rr, mm = kept * before.cc, kept * before.rr, kept * before.mm
    cr, cm, rm = kept * before.cr, kept * before.cm, kept * before.rm
    for cached, running, megabytes in rows:
        total += weight
        part = weight / total
        dc, dr, dm = cached - c, running - r, megabytes - m
        c, r, m = c + part * dc, r + part * dr, m + part * dm
        left = weight * (1 - part)
        cc, rr, mm = cc + left * dc * dc, rr + left * dr * dr, mm + left * dm * dm
        cr, cm, rm = cr + left * dc * dr, cm + left * dc * dm, rm + left * dr * dm
    return _Moments(total, c, r, m, cc, rr, mm, cr, cm, rm)
