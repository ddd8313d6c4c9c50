"""How long one attempt at a tick may take, on the clocks that count: the server's at its begin, then the loop's own."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from temporalio import activity

from activities.server_time import ServerTime
from scaler.model.plan import Plan

DELIVERY = timedelta(seconds=5)
"""Kept of an attempt's time for telling the server what was seen, on a loaded machine."""

LONGEST_ATTEMPT = timedelta(days=1)

SHORTEST_WATCH = timedelta(seconds=1)
"""A watch ends no sooner unless something wakes it: whatever clocks show, a fleet's ticks can't chase one another."""


def _loop_time() -> float:
    return asyncio.get_running_loop().time()


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt at a tick; `began` is the server's stamp, `deadline` is when the server gives it up."""

    began: datetime
    deadline: datetime
    scheduled: datetime
    number: int = 1
    _began_at: float = field(default_factory=_loop_time)

    @classmethod
    def begun(cls, clock: ServerTime) -> "Attempt":
        """Of the activity that runs; where none does, one that begins now and may take a day."""
        if not activity.in_activity():
            return cls(began=clock.now(), deadline=clock.now() + LONGEST_ATTEMPT, scheduled=clock.now())
        info = activity.info()
        clock.heard(info.started_time)
        longest = info.start_to_close_timeout or LONGEST_ATTEMPT
        return cls(
            began=info.started_time,
            deadline=info.started_time + longest - DELIVERY,
            scheduled=info.scheduled_time,
            number=info.attempt,
        )

    @property
    def now(self) -> datetime:
        """The server's time, as far as this attempt knows it."""
        return self.began + timedelta(seconds=_loop_time() - self._began_at)

    def seconds_to_ask(self, longest_seconds: float) -> float:
        """For how long an answer may be waited for, so that the attempt can still tell what it saw."""
        return max(min(longest_seconds, (self.deadline - self.now).total_seconds()), 0.1)

    def watch_ends(self, plan: Plan) -> datetime:
        """When a watch ends that nothing wakes. A look was over when it was sent, and a retry comes late already."""
        if plan.until <= self.scheduled or self.number > 1:
            return plan.until
        return max(plan.until, self.began + SHORTEST_WATCH)
