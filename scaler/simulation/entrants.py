"""Who can take part, by name: what each stands for, the one setting that it is swept over, and its cache."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from scaler.door import Problem, Refused
from scaler.fleet import Fleet
from scaler.simulation.baselines.caches import CacheSetting, start_cache
from scaler.simulation.baselines.clairvoyant import best_changing_cache, best_fixed_cache
from scaler.simulation.baselines.cpu import cpu
from scaler.simulation.baselines.flink import flink
from scaler.simulation.baselines.justin import justin
from scaler.simulation.baselines.keda import keda
from scaler.simulation.baselines.no_sync import DEFAULT_COOLOFF_SECONDS, no_sync
from scaler.simulation.baselines.predictive import predictive
from scaler.simulation.baselines.rate_based import rate_based
from scaler.simulation.baselines.slot_hpa import slot_hpa
from scaler.simulation.baselines.static import static
from scaler.simulation.baselines.threshold import threshold
from scaler.simulation.contender import Baseline, Clairvoyant, Contender, Joint
from scaler.simulation.policy import MakeClairvoyant, MakePolicy
from scaler.simulation.scenario import Scenario

JOINT: Final = "joint"
CLAIRVOYANT: Final = "clairvoyant"
"""Its worker-hours are what others' are compared with: it knows the future, and keeps the best fixed cache."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """How one entrant is set for a run; None is its default."""

    setting: float | None = None
    cache: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrant:
    """One policy. `sweep` are the values of its setting, from cautious to daring."""

    name: str
    stands_for: str
    setting: str
    default: float
    sweep: tuple[float, ...]
    cache: CacheSetting = CacheSetting.FOUND
    decides_cache: bool = False
    knows_the_future: bool = False
    make: Callable[[float], MakePolicy] | None = None
    make_clairvoyant: Callable[[float], MakeClairvoyant] | None = None

    def contender(self, scenario: Scenario, tuning: Tuning) -> Contender:
        """It, set for one scenario."""
        setting = self.default if tuning.setting is None else tuning.setting
        cache = start_cache(scenario, self.cache, tuning.cache)
        if self.make_clairvoyant is not None:
            make = self.make_clairvoyant(setting)
            return Clairvoyant(name=self.name, make=make, start_cache=cache, decides_cache=self.decides_cache)
        if self.make is not None:
            made = self.make(setting)
            return Baseline(name=self.name, make=made, start_cache=cache, decides_cache=self.decides_cache)
        return Joint(name=self.name, declare=_tolerating(setting))


MOST_LATE_PERCENT: Final = 99.0


def _tolerating(lateness: float) -> Callable[[Fleet], Fleet]:
    """A fleet of which so many times as many tasks may wait, and so many times as long."""

    def declare(fleet: Fleet) -> Fleet:
        objective = fleet.objective
        late = min(max(0.1, (100 - objective.percentile) * lateness), MOST_LATE_PERCENT)
        loosened = {
            "percentile": 100 - late,
            "workflow_task": objective.workflow_task * lateness,
            "activity": objective.activity * lateness,
        }
        return fleet.model_copy(update={"objective": objective.model_copy(update=loosened)})

    return declare


_UTILISATIONS: Final = (0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)


def _rate_based(name: str, cache: CacheSetting, stands_for: str) -> Entrant:
    return Entrant(
        name=name,
        stands_for=f"Temporal's own worker controller, rate-based, {stands_for}",
        setting="target of utilisation",
        default=0.8,
        sweep=_UTILISATIONS,
        cache=cache,
        make=rate_based,
    )


_ENTRANTS: Final = (
    Entrant(
        name=JOINT,
        stands_for="this product",
        setting="times the lateness that the objective allows",
        default=1.0,
        sweep=(0.02, 0.1, 0.2, 0.5, 0.7, 1.0, 2.0, 5.0, 15.0),
        decides_cache=True,
    ),
    Entrant(
        name="static",
        stands_for="the best single size in hindsight",
        setting="percentile of what is needed",
        default=95.0,
        sweep=(100.0, 99.0, 98.0, 95.0, 90.0, 80.0, 70.0, 50.0, 30.0),
        decides_cache=True,
        knows_the_future=True,
        make_clairvoyant=static,
    ),
    Entrant(
        name="cpu",
        stands_for="Cloud Run's CPU autoscaling",
        setting="target of CPU",
        default=0.6,
        sweep=(0.02, 0.04, 0.06, 0.1, 0.15, 0.2, 0.3, 0.45, 0.6),
        make=cpu,
    ),
    Entrant(
        name="keda",
        stands_for="KEDA's Temporal scaler with its HPA",
        setting="waiting tasks for each worker",
        default=5.0,
        sweep=(0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 12.0, 20.0),
        make=keda,
    ),
    Entrant(
        name="slot-hpa",
        stands_for="Temporal's HPA example: slots and backlog",
        setting="target of slot utilisation",
        default=0.75,
        sweep=_UTILISATIONS,
        make=slot_hpa,
    ),
    Entrant(
        name="threshold",
        stands_for="thresholds with cool-downs",
        setting="upper threshold of utilisation",
        default=0.8,
        sweep=_UTILISATIONS,
        make=threshold,
    ),
    Entrant(
        name="predictive",
        stands_for="thresholds with a forecast",
        setting="upper threshold of utilisation",
        default=0.8,
        sweep=(0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8),
        make=predictive,
    ),
    _rate_based("wci-default", CacheSetting.DEFAULT, "with the SDK's cache"),
    _rate_based("wci-tuned", CacheSetting.TUNED, "with a tuned cache"),
    _rate_based("wci-tenth", CacheSetting.TENTH, "with a tenth of the tuned cache"),
    Entrant(
        name="wci-no-sync",
        stands_for="Temporal's own worker controller, no-sync",
        setting="seconds between two invocations",
        default=DEFAULT_COOLOFF_SECONDS,
        sweep=(0.1, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0, 120.0),
        make=no_sync,
    ),
    Entrant(
        name="flink",
        stands_for="the formula of Flink's autoscaler",
        setting="target of utilisation",
        default=0.7,
        sweep=_UTILISATIONS,
        make=flink,
    ),
    Entrant(
        name="justin",
        stands_for="Justin: Flink's formula, and memory by cache hits",
        setting="target of utilisation",
        default=0.7,
        sweep=_UTILISATIONS,
        decides_cache=True,
        make=justin,
    ),
    Entrant(
        name=CLAIRVOYANT,
        stands_for="a bound: knows all turns, keeps the best cache",
        setting="times what is needed",
        default=1.0,
        sweep=(1.3, 1.2, 1.1, 1.05, 1.0, 0.95, 0.9, 0.8, 0.7),
        decides_cache=True,
        knows_the_future=True,
        make_clairvoyant=best_fixed_cache,
    ),
    Entrant(
        name="clairvoyant-cache",
        stands_for="a bound: knows all turns, changes the cache",
        setting="times what is needed",
        default=1.0,
        sweep=(1.3, 1.2, 1.1, 1.05, 1.0, 0.95, 0.9, 0.8, 0.7),
        decides_cache=True,
        knows_the_future=True,
        make_clairvoyant=best_changing_cache,
    ),
)

ENTRANTS: Final[Mapping[str, Entrant]] = {entrant.name: entrant for entrant in _ENTRANTS}
"""All of them, this product first."""


def entrant(name: str) -> Entrant:
    """The one of this name; `Refused` with all names where there is none."""
    if name not in ENTRANTS:
        raise Refused((Problem(("policies",), f"must be of {', '.join(ENTRANTS)}, found {name!r}"),))
    return ENTRANTS[name]
