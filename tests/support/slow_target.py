"""A target on paper that is slow, or whose controller dies, at a moment of the test's choice."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum, auto

from activities.targets.contract import StepTaken
from scaler.fleet import Fleet
from scaler.model.plan import Plan, Stamp
from tests.support.paper_target import PaperTarget


class Moment(Enum):
    """Where in a step the target hangs."""

    BEFORE_RECORD = auto()
    BEFORE_ACT = auto()
    AFTER_ACT = auto()


class ControllerDied(BaseException):
    """Nothing of the controller goes on after this, whatever it guards itself against."""


@dataclass
class Hang:
    """One step that hangs until it may go on; with `dies` it never does what was left of it."""

    moment: Moment
    dies: bool = False
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)
    over: asyncio.Event = field(default_factory=asyncio.Event)


class SlowTarget(PaperTarget):
    """On paper; steps with a size hang where the test says, each hang one step."""

    def __init__(self) -> None:
        super().__init__()
        self.hangs: dict[str, Hang] = {}

    def hang(self, name: str, moment: Moment, *, dies: bool = False) -> Hang:
        """Have the next step of this fleet that has a size hang."""
        hang = self.hangs[name] = Hang(moment, dies)
        return hang

    async def step(self, fleet: Fleet, plan: Plan, stamp: Stamp) -> StepTaken:
        """Record and act, with a wait somewhere."""
        if plan.size is None or (hang := self.hangs.pop(fleet.name, None)) is None:
            return await super().step(fleet, plan, stamp)
        try:
            return await self._slowly(fleet, plan, stamp, hang)
        finally:
            hang.over.set()

    async def _slowly(self, fleet: Fleet, plan: Plan, stamp: Stamp, hang: Hang) -> StepTaken:
        group = self.group(fleet.name)
        if hang.moment is Moment.BEFORE_RECORD:
            await self._wait(hang)
        if hang.dies and hang.moment is Moment.BEFORE_RECORD:
            raise ControllerDied
        written = group.write(plan, stamp, datetime.now(UTC))
        if hang.moment is Moment.BEFORE_ACT:
            await self._wait(hang)
        if hang.dies and hang.moment is Moment.BEFORE_ACT:
            raise ControllerDied
        if group.record == written.applied.record:  # a target's own check: nobody wrote in between
            group.act(plan)
        if hang.moment is Moment.AFTER_ACT:
            await self._wait(hang)
        return written

    async def _wait(self, hang: Hang) -> None:
        hang.reached.set()
        await hang.go_on.wait()
