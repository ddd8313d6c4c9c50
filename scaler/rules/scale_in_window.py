"""How long a lower need must have held before workers go: as long as an idle one costs less than to miss it. Pure."""

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

from scaler.fleet import Fleet
from scaler.learn.level import level_after
from scaler.model.remembered import Recommendation, Turns, figure, whole_second
from scaler.rules.situation import Situation
from scaler.size.capacity import USUAL_PERCENTILE

SHORTEST_WINDOW, LONGEST_WINDOW = timedelta(minutes=1), timedelta(minutes=10)

RISK_IN_STARTS = 3.0
"""What it costs to miss a worker while another one starts, in workers × time to start, where 5 % may be late."""

MOST_STRETCHED = 6.0
"""The longest window is so many times as long at most where fewer tasks may be late."""

RECOMMENDATIONS_KEPT = 10

REVERSAL_TIME = timedelta(minutes=10)

REVERSALS_FADE = timedelta(minutes=30)
"""Longer than what counts as a reversal: a count that turns every quarter of an hour remembers that it did."""

MOST_REVERSALS = 3.0


def recommendations(situation: Situation) -> tuple[Recommendation, ...]:
    """What the scale-in window wanted, as far as it can still be its highest: later ones are lower.

    Too many are thinned by letting the higher of two neighbours live as long as the later: never too short.
    """
    workers, now, window = situation.need.size.workers, situation.now, scale_in_window(situation)
    earlier = situation.memory.recommendations
    kept = [each for each in earlier if now - each.at <= window and each.workers > workers]
    kept.append(Recommendation(whole_second(now), workers))
    while len(kept) > RECOMMENDATIONS_KEPT:
        apart = [later.at - sooner.at for sooner, later in pairwise(kept)]
        nearest = apart.index(min(apart))
        kept[nearest : nearest + 2] = [replace(kept[nearest], at=kept[nearest + 1].at)]
    return tuple(kept)


def scale_in_window(situation: Situation) -> timedelta:
    """How long a lower need must have held: as long as an idle worker costs less than to miss it and start it anew.

    The break-even of the ski-rental problem: what the worker costs idle against what taking it away costs to undo,
    its start, the risk to the objective meanwhile, and the replays of what it had cached. The fewer tasks may be late
    the more the risk weighs. A declared window overrides it; turning around lately stretches it.
    """
    declared = situation.fleet.behaviour.scale_in_window
    if declared is not None:
        return declared
    estimate, strictness = situation.estimate, _strictness(situation.fleet)
    longest = LONGEST_WINDOW * min(strictness, MOST_STRETCHED)
    undo_seconds = estimate.start_seconds * (1 + RISK_IN_STARTS * strictness) + _replay_seconds(situation)
    window = min(max(timedelta(seconds=undo_seconds), SHORTEST_WINDOW), longest)
    reversals = situation.memory.turns.reversals
    recent = level_after(reversals, 0.0, situation.now, REVERSALS_FADE).value or 0.0
    return min(window * (1 + min(recent, MOST_REVERSALS)), longest)


def _strictness(fleet: Fleet) -> float:
    """How many times fewer tasks may be late than usual; a looser objective than the usual one counts as usual."""
    return max((100 - USUAL_PERCENTILE) / (100 - fleet.objective.percentile), 1.0)


def _replay_seconds(situation: Situation) -> float:
    """Worker time that replaying one worker's cached runs takes, as far as they are used again."""
    use, totals = situation.estimate.cache, situation.seen.totals
    beating = sum(total.beating for total in totals)
    if use.replay_seconds is None or not beating:
        return 0.0
    cached = sum(total.cached for total in totals) / beating
    cores = situation.estimate.workflow_cores or 1.0
    return cached * use.reuse * use.replay_seconds / cores


def turned(turns: Turns, before: int, after: int, now: datetime) -> Turns:
    """The memory of directions after the count moved."""
    if before == after:
        return turns
    up = after > before
    reversed_now = turns.at is not None and up != turns.up and now - turns.at <= REVERSAL_TIME
    faded = level_after(turns.reversals, 0.0, now, REVERSALS_FADE)
    at = whole_second(now)
    return Turns(up=up, at=at, reversals=replace(faded, value=figure((faded.value or 0.0) + reversed_now), at=at))
