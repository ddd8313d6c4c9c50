"""Where tasks wait beside free slots, one more worker is tried, however many should do by what they did before. Pure.

Workers whose pollers are gone take nothing, and tell of free slots: by their slots alone they would be enough for ever.
"""

from scaler.model.common import Polled
from scaler.model.estimate import Load
from scaler.rules.situation import Situation


def to_be_probed(situation: Situation) -> bool:
    """Whether a queue waits beside free slots, no more workers are on their way, and none were tried for it lately.

    What has not waited for as long as a worker takes to start may be gone before one could help.
    """
    if situation.estimate.ready < situation.current.workers:
        return False
    return any(_untried(situation, load) for load in situation.readings.beside_free_slots)


def _untried(situation: Situation, load: Load) -> bool:
    tried = {Polled.of(trial) for trial in situation.memory.scale_outs}
    waited = load.backlog_age_seconds >= situation.estimate.start_seconds
    return waited and not load.rate_limited and Polled.of(load) not in tried
