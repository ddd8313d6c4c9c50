"""How a change that did harm is taken back, within what memory allows. Pure."""

from scaler.fleet import CACHE_FLOOR
from scaler.model.decision import Constraint, Reason
from scaler.model.remembered import Change, Trial
from scaler.rules.cache_gate import SLACK, CacheChoice
from scaler.rules.situation import Situation


def cache_before(situation: Situation, harm: tuple[Trial, ...]) -> CacheChoice | None:
    """The cache size from before a change of it that did harm, as far as it is safe by what is seen now."""
    found = next((trial.before.cache for trial in harm if trial.change is not Change.SCALE_IN), None)
    if found is None or not situation.decides_cache:
        return None
    safe = situation.need.safe_cache
    cache = found if safe is None or found <= safe else max(int(SLACK * safe), CACHE_FLOOR)
    return CacheChoice(cache=cache, bound=Constraint.EMBARGO, reasons=(Reason.ROLLED_BACK,))


def workers_before(harm: tuple[Trial, ...]) -> int | None:
    """The worker count from before a scale-in that did harm."""
    return next((trial.before.workers for trial in harm if trial.change is Change.SCALE_IN), None)
