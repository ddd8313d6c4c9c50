"""What sampled histories say of caching: what it saves, and how soon cached runs are used again. Pure."""

from collections.abc import Iterator
from itertools import accumulate

from scaler.learn.replay_cost import task_cost
from scaler.model.estimate import CacheUse
from scaler.model.observation import GAP_EDGES_SECONDS, ReplaySeen

FEWEST_GAPS = 30
"""A curve from fewer gaps is an anecdote."""


def cache_use(replay: ReplaySeen, missed: float | None = None) -> CacheUse:
    """What the sampled histories say of caching, with the share of misses among sticky tasks where workers count."""
    cost = task_cost(replay, missed)
    gaps = sum(replay.gaps)
    if gaps < FEWEST_GAPS or len(replay.gaps) != len(GAP_EDGES_SECONDS) + 1:
        return CacheUse(hit_seconds=cost.hit_seconds, replay_seconds=cost.replay_seconds)
    accesses = gaps + sum(replay.silences) + replay.closed
    return CacheUse(
        hit_seconds=cost.hit_seconds,
        replay_seconds=cost.replay_seconds,
        reuse=gaps / accesses,
        open_share=1 - replay.closed / accesses,
        kept_seconds=tuple(accumulate(_kept(replay))),
        late_reuse=tuple(1 - seen / gaps for seen in accumulate(replay.gaps[:-1])),
    )


def _kept(replay: ReplaySeen) -> Iterator[float]:
    """Between each two edges of the histogram, the seconds that an access waits for the next on average.

    The integral of Kaplan and Meier's estimate of survival. Runs that have been silent so far may yet be used again;
    to leave them out would call all gaps short.
    """
    silences = replay.silences or (0,) * len(replay.gaps)
    at_risk, since, share = sum(replay.gaps) + sum(silences), 0.0, 1.0
    for edge, used, silent in zip(GAP_EDGES_SECONDS, replay.gaps, silences, strict=False):
        left = share * (1 - used / at_risk) if at_risk else share
        yield (edge - since) * (share + left) / 2
        at_risk, since, share = at_risk - used - silent, edge, left
