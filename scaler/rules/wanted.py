"""The worker count to go to before any rule holds it: taken back, set by an operator, or asked for by load. Pure."""

from scaler.model.decision import Constraint, Reason
from scaler.model.remembered import Trial
from scaler.rules.cache_gate import CacheChoice
from scaler.rules.count import Limit, scale_out_step
from scaler.rules.probe import to_be_probed
from scaler.rules.situation import Situation
from scaler.rules.take_back import workers_before


def wanted_count(situation: Situation, choice: CacheChoice, harm: tuple[Trial, ...]) -> Limit:
    """The count that is wanted beside a cache size, and what asks for it."""
    override = situation.memory.operator.override
    if override is not None and override.workers is not None:
        return Limit(override.workers, Constraint.OVERRIDE)
    wanted, before = _by_load(situation, choice), workers_before(harm)
    if before is None or before <= wanted.workers:
        return wanted
    back = max(wanted.workers, min(before, scale_out_step(situation.current.workers)))
    return Limit(back, Constraint.EMBARGO, Reason.ROLLED_BACK)


def _by_load(situation: Situation, choice: CacheChoice) -> Limit:
    if not situation.any_signal:
        return Limit(situation.current.workers, Constraint.MISSING_SIGNAL, Reason.ALL_SIGNALS_GONE)
    cache = choice.cache if choice.cache is not None else situation.current.cache
    wanted = Limit(*situation.workers_at(cache))
    probe = situation.current.workers + 1
    return Limit(probe, Constraint.PROBE) if wanted.workers < probe and to_be_probed(situation) else wanted
