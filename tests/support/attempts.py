"""Ticks of a reconciler without a server: as the SDK would run them, by a server whose clock the test sets."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio.testing import ActivityEnvironment

from activities.reconcile import Reconciler
from activities.requests import Reconcile
from scaler.fleet import Fleet
from scaler.model.common import Generation
from scaler.model.observation import Observation
from scaler.model.plan import Plan, Stamp
from tests.support.states import OWNER


@dataclass(frozen=True, kw_only=True)
class Servers:
    """A server's clock beside this host's: so much is it ahead."""

    ahead: timedelta = timedelta(0)

    def now(self) -> datetime:
        """The server's time."""
        return datetime.now(UTC) + self.ahead

    async def attempt(
        self, reconciler: Reconciler, request: Reconcile, start_to_close: timedelta = timedelta(seconds=60)
    ) -> Observation:
        """One attempt at a tick, handed out now."""
        now = self.now()
        environment = ActivityEnvironment()
        environment.info = replace(
            ActivityEnvironment.default_info(),
            scheduled_time=now,
            current_attempt_scheduled_time=now,
            started_time=now,
            start_to_close_timeout=start_to_close,
        )
        seen: Observation = await environment.run(reconciler.reconcile, request)
        return seen


def tick(fleet: Fleet, plan: Plan, number: int = 1, **stamp: Any) -> Reconcile:
    """A request; thresholds count at once unless `wake_from` says otherwise."""
    made = Stamp(owner=OWNER, generation=Generation(1.0, number), wake_from=plan.until - timedelta(hours=1))
    return Reconcile(fleet=fleet, plan=plan, stamp=replace(made, **stamp))
