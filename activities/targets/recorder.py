"""The dry run as a target: looks at the real one, and records what it would have been told to do.

It writes no record anywhere and changes nothing, so a live controller and a dry run can watch the same target.
"""

import logging
from dataclasses import replace
from datetime import UTC, datetime

from activities.targets.contract import StepTaken, Target, TargetLook
from scaler.claims import Standing, record_step
from scaler.door import Problem
from scaler.fleet import Fleet
from scaler.model.common import Size
from scaler.model.plan import Plan, Stamp
from scaler.model.record import Applied, TargetRecord

_logger = logging.getLogger(__name__)


class RecorderTarget:
    """Takes every plan as a look. Its records live as long as the controller and intend what is there already."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._records: dict[str, TargetRecord] = {}

    async def check(self, fleet: Fleet) -> tuple[Problem, ...]:
        """What the real target says."""
        return await self._target.check(fleet)

    async def step(self, fleet: Fleet, plan: Plan, stamp: Stamp) -> StepTaken:
        """Record that the plan came, and that the target is as it is."""
        seen = (await self._target.look(fleet)).target
        found = self._records.get(fleet.name)
        if found is not None:
            found = replace(found, intended=Size(seen.desired or 0, seen.cache), previous=None)
        standing = Standing(now=datetime.now(UTC), owner_lives=True)
        taken = record_step(found, replace(plan, size=None), stamp, standing)
        record = taken.write or found
        if record is not None:
            self._records[fleet.name] = record
        if plan.size is not None:
            _logger.info("Dry run: %s would go to %s", fleet.name, plan.size)
        return StepTaken(
            found=found, applied=Applied(generation=stamp.generation, outcome=taken.outcome, record=record)
        )

    async def look(self, fleet: Fleet) -> TargetLook:
        """The real target as it is."""
        return await self._target.look(fleet)
