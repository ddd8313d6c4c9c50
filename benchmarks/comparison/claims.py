"""What this product claims in the comparison, and where it does not hold."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import median
from typing import Final

from benchmarks.comparison.cells import named
from benchmarks.comparison.evidence import CAUSAL, FIXED_CACHE, UNTUNED, Evidence
from benchmarks.comparison.verdicts import SHARE_TOLERANCE, dominates, hours_at_equal_lateness
from scaler.simulation.entrants import JOINT
from scaler.simulation.scenario import MemoryRegime, ReplayRegime

LARGE: Final = 40
"""Where fewer workers are allowed, rounding to whole workers dominates a ratio of worker-hours."""

MOST_OVER_CLAIRVOYANT: Final = 1.10
MOST_OVER_HAND_TUNED: Final = 1.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One sentence, in how many places it was tried, and those where it is not so."""

    sentence: str
    places: int
    exceptions: tuple[str, ...]


def claims(evidence: Evidence) -> Iterator[Claim]:
    """All of them."""
    for sentence, tried in _CLAIMS:
        found = list(tried(evidence))
        yield Claim(sentence=sentence, places=len(found), exceptions=tuple(each for each in found if each is not None))


def cache_matters(scenario: str) -> bool:
    """Whether replay is expensive, or memory per workflow drifts or steps."""
    regime = named(scenario).regime
    return regime.replay is ReplayRegime.EXPENSIVE or regime.memory in (MemoryRegime.DRIFTS, MemoryRegime.STEPS)


def cache_is_easy(scenario: str) -> bool:
    """Whether replay is cheap and memory ample."""
    regime = named(scenario).regime
    return regime.replay is ReplayRegime.CHEAP and regime.memory is MemoryRegime.AMPLE


def large(scenario: str) -> bool:
    """Whether a scenario allows enough workers for ratios of worker-hours to mean something."""
    return named(scenario).platform.workers.max >= LARGE


Tried = Iterator[str | None]
"""For each place where it was tried None, or in words how it failed there."""


def _no_avoidable_kills(evidence: Evidence) -> Tried:
    for row in evidence.of(JOINT):
        if named(row["scenario"]).avoidable_kills:
            where = f"{row['scenario']} under {row['trace']}, seed {row['seed']}: {row['oom_kills']}"
            yield where if row["oom_kills"] else None


def _no_late_kills(evidence: Evidence) -> Tried:
    for row in evidence.of(JOINT):
        kills = row["oom_kills_after_first_decision"]
        if not named(row["scenario"]).avoidable_kills:
            yield f"{row['scenario']} under {row['trace']}, seed {row['seed']}: {kills}" if kills else None


def _not_dominated(evidence: Evidence) -> Tried:
    for scenario in evidence.scenarios:
        found = evidence.curves(scenario)
        by = [policy for policy in CAUSAL if found and dominates(found[policy], found[JOINT])]
        if found:
            yield f"{scenario}: {', '.join(by)}" if by else None


def _dominates_fixed_caches(evidence: Evidence) -> Tried:
    for scenario in filter(cache_matters, evidence.scenarios):
        found = evidence.curves(scenario)
        left = [policy for policy in FIXED_CACHE if found and not dominates(found[JOINT], found[policy])]
        if found:
            yield f"{scenario}: {', '.join(left)}" if left else None


def _hardly_dearer(evidence: Evidence) -> Tried:
    for scenario in filter(cache_is_easy, evidence.scenarios):
        found = evidence.curves(scenario)
        if found:
            ratios = {policy: hours_at_equal_lateness(found[JOINT], found[policy]) for policy in CAUSAL}
            dearer = [f"{ratio:.2f} × {policy}" for policy, ratio in ratios.items() if ratio > MOST_OVER_HAND_TUNED]
            yield f"{scenario}: {', '.join(dearer)}" if dearer else None


def _punctual(evidence: Evidence) -> Tried:
    for scenario in evidence.scenarios:
        yield _no_more(evidence, "slo_violation_minutes", scenario, UNTUNED)


def _calm(evidence: Evidence) -> Tried:
    for scenario in evidence.scenarios:
        yield _no_more(evidence, "reversals_10m", scenario, CAUSAL)


def _calm_among_the_punctual(evidence: Evidence) -> Tried:
    for scenario in evidence.scenarios:
        if as_punctual(evidence, scenario):
            yield _no_more(evidence, "reversals_10m", scenario, as_punctual(evidence, scenario))


def as_punctual(evidence: Evidence, scenario: str) -> tuple[str, ...]:
    """The causal baselines that keep no more tasks waiting too long in a scenario, as they come."""
    share = "slo_violation_task_share"
    most = evidence.mean(JOINT, scenario, share) + SHARE_TOLERANCE
    return tuple(policy for policy in CAUSAL if evidence.mean(policy, scenario, share) <= most)


def _no_more(evidence: Evidence, figure: str, scenario: str, policies: tuple[str, ...]) -> str | None:
    own, (best, policy) = evidence.mean(JOINT, scenario, figure), evidence.lowest(policies, scenario, figure)
    return f"{scenario}: {own:.2f}, {policy} {best:.2f}" if own > best else None


def _cheap(evidence: Evidence) -> Tried:
    ratios = [ratio for (scenario, _), ratio in evidence.over_clairvoyant(JOINT).items() if large(scenario)]
    if ratios:
        middle = median(ratios)
        yield f"the median is {middle:.3f}" if middle > MOST_OVER_CLAIRVOYANT else None


_CLAIMS: Final[tuple[tuple[str, Callable[[Evidence], Tried]], ...]] = (
    ("No OOM kill where kills are avoidable", _no_avoidable_kills),
    ("Elsewhere none after the first decision that could have seen one", _no_late_kills),
    ("No causal baseline dominates it", _not_dominated),
    ("It dominates every fixed cache where replay is expensive or memory drifts or steps", _dominates_fixed_caches),
    ("Where replay is cheap and memory ample it is at most 5 % dearer than the best setting of any", _hardly_dearer),
    ("As it comes, no more violation minutes than any untuned baseline", _punctual),
    ("As it comes, at most 1.10 of the clairvoyant's worker-hours at the median of scenario × trace", _cheap),
    ("As it comes, no more reversals than the calmest baseline that is as punctual", _calm_among_the_punctual),
    ("As it comes, no more reversals than the calmest of all, whoever waits", _calm),
)
