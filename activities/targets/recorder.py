"""The dry run as a target: looks at the real one, and records what it would have been told to do.

It writes no record anywhere and changes nothing, so a live controller and a dry run can watch the same target.
"""

import logging
from dataclasses import dataclass, replace

from activities.targets.contract import StepTaken, Target, TargetLook
from activities.targets.step import Found, Intent, Written, take_step
from scaler.door import Problem
from scaler.fleet import Fleet
from scaler.model.common import Owner, Size
from scaler.model.plan import Plan, Stamp
from scaler.model.record import TargetRecord

_logger = logging.getLogger(__name__)


class RecorderTarget:
    """Takes every plan as a look. Its records live as long as the controller and intend what is there already."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._records: dict[Owner, TargetRecord] = {}

    async def check(self, fleet: Fleet) -> tuple[Problem, ...]:
        """What the real target says."""
        return await self._target.check(fleet)

    async def step(self, fleet: Fleet, plan: Plan, stamp: Stamp) -> StepTaken:
        """Record that the plan came, and that the target is as it is."""
        if plan.size is not None:
            _logger.info("Dry run: %s would go to %s", fleet.name, plan.size)
        backing = _Notebook(self._target, self._records, fleet, stamp.owner)
        return await take_step(backing, replace(plan, size=None), stamp, _lives)

    async def look(self, fleet: Fleet) -> TargetLook:
        """The real target as it is."""
        return await self._target.look(fleet)


async def _lives(_: Owner) -> bool:
    """Each fleet has a record of its own here, so none changes hands."""
    return True


@dataclass(frozen=True, slots=True)
class _Notebook:
    """A fleet's record on paper."""

    target: Target
    records: dict[Owner, TargetRecord]
    fleet: Fleet
    owner: Owner

    async def read(self) -> Found:
        """What was noted; it intends what is there."""
        seen, record = (await self.target.look(self.fleet)).target, self.records.get(self.owner)
        if record is not None:
            record = replace(record, intended=Size(seen.desired or 0, seen.cache), previous=None)
        return Found(record=record, desired=None)

    async def write(self, intent: Intent) -> Written:
        """Note it, and do nothing."""
        record = intent.record or intent.found.record
        if record is not None:
            self.records[self.owner] = record
        return Written(record=record)
