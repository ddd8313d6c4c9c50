"""Runs several policies under the same loads, and sets their figures side by side."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, Final

from scaler.simulation.contender import Contender
from scaler.simulation.entrants import CLAIRVOYANT, Tuning, entrant
from scaler.simulation.load import Load, LoadRequest, load_of
from scaler.simulation.run import Mode, Run, Setting, run
from scaler.simulation.scenario import Scenario
from scaler.simulation.score import over_seeds
from scaler.simulation.traces import Trace

OVER_CLAIRVOYANT: Final = "worker_hours_over_clairvoyant"


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """Under what all of them run; seeds are counted from 1."""

    scenario: Scenario
    seeds: int
    trace: Trace | None = None
    rate_scale: float | None = None
    time_scale: float = 1.0
    mode: Mode = Mode.STEPS

    def load(self, seed: int) -> Load:
        """The turns of one seed."""
        return load_of(
            self.scenario,
            LoadRequest(seed=seed, trace=self.trace, rate_scale=self.rate_scale, time_scale=self.time_scale),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one policy came to, run by run, beside the bound's worker-hours in the same runs."""

    policy: str
    scenario: str
    runs: tuple[Run, ...]
    clairvoyant_hours: tuple[float, ...]

    def figures(self) -> dict[str, Any]:
        """Means over seeds, but the worst of kills and memory."""
        pairs = zip(self.runs, self.clairvoyant_hours, strict=True)
        return {
            "policy": self.policy,
            "scenario": self.scenario,
            "seeds": len(self.runs),
            **over_seeds([each.score for each in self.runs]),
            OVER_CLAIRVOYANT: fmean(each.score.worker_hours / bound for each, bound in pairs),
        }


class Comparison:
    """All loads, drawn once, and what every policy makes of them.

    Args:
        circumstances: Under what they run.
        others: Contenders by name that are none of the known entrants.

    """

    def __init__(self, circumstances: Circumstances, others: Mapping[str, Contender] | None = None) -> None:
        self.circumstances = circumstances
        self.others = others or {}
        self.loads = [circumstances.load(seed) for seed in range(1, circumstances.seeds + 1)]

    def outcomes(self, policies: Sequence[str], progress: Callable[[str], None]) -> Iterator[Outcome]:
        """In the order in which the policies are named; `progress` is told who runs, the bound first."""
        bound = self._runs(CLAIRVOYANT, progress)
        hours = tuple(each.score.worker_hours for each in bound)
        for name in policies:
            runs = bound if name == CLAIRVOYANT else self._runs(name, progress)
            scenario = self.circumstances.scenario.name
            yield Outcome(policy=name, scenario=scenario, runs=runs, clairvoyant_hours=hours)

    def _runs(self, name: str, progress: Callable[[str], None]) -> tuple[Run, ...]:
        progress(name)
        scenario, mode = self.circumstances.scenario, self.circumstances.mode
        contender = self.others.get(name) or entrant(name).contender(scenario, Tuning())
        return tuple(
            run(Setting(scenario=scenario, load=load, seed=seed, mode=mode), contender)
            for seed, load in enumerate(self.loads, start=1)
        )
