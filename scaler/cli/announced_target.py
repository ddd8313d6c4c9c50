"""Tells once, in the controller's log, where the output of a fleet's workers goes, and when they don't come up."""

import logging
from collections.abc import Callable
from pathlib import Path

from activities.targets.contract import StepTaken, Target, TargetLook
from scaler.door import Problem
from scaler.fleet import Fleet
from scaler.model.plan import Plan, Stamp
from scaler.words.ends import failing_words

_logger = logging.getLogger(__name__)


class AnnouncedTarget:
    """The target itself; the first step of each fleet is announced, and workers that end again and again are told once.

    Args:
        target: What does the work.
        output_of: Where the output of a fleet's workers is.

    """

    def __init__(self, target: Target, output_of: Callable[[Fleet], Path]) -> None:
        self._target = target
        self._output_of = output_of
        self._announced: set[str] = set()
        self._told: dict[str, tuple[str, bool]] = {}  # what was told of each fleet's workers, while it lasts

    async def check(self, fleet: Fleet) -> tuple[Problem, ...]:
        """What the target says."""
        return await self._target.check(fleet)

    async def step(self, fleet: Fleet, plan: Plan, stamp: Stamp) -> StepTaken:
        """What the target does."""
        if fleet.name not in self._announced:
            self._announced.add(fleet.name)
            _logger.info("Fleet %s is served here; output of its workers: %s", fleet.name, self._output_of(fleet))
        return await self._target.step(fleet, plan, stamp)

    async def look(self, fleet: Fleet) -> TargetLook:
        """What the target shows."""
        look = await self._target.look(fleet)
        failing = look.target.failing
        if failing is None:
            self._told.pop(fleet.name, None)
        elif self._told.get(fleet.name) != (told := (failing.version, failing.ever_ready)):
            self._told[fleet.name] = told
            what = "again and again" if failing.ever_ready else "before they are ready"
            _logger.warning("Workers of fleet %s end %s: %s", fleet.name, what, failing_words(failing))
        return look
