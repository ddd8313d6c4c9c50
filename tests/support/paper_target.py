"""A scale target without processes: workers that exist on paper, under the product's own record rules.

It stands where no real target is needed: tests of the workflow and of the controller at a thousand fleets.
"""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from activities.targets.contract import StepTaken, TargetLook, TargetWorker
from scaler.door import Problem
from scaler.fleet import Fleet
from scaler.model.common import Quality
from scaler.model.observation import TargetSeen, WorkerExit, WorkerSeen, WorkerState
from scaler.model.plan import Plan, Stamp
from scaler.model.record import Applied, StepOutcome, TargetRecord
from scaler.record import Standing, record_step

LIMIT_BYTES = 192 * 2**20


@dataclass
class Group:
    """One fleet's workers on paper."""

    record: TargetRecord | None = None
    desired: int = 0
    cache: int | None = None
    names: list[str] = field(default_factory=list)
    caches: dict[str, int | None] = field(default_factory=dict)
    exits: list[WorkerExit] = field(default_factory=list)
    started: int = 0
    steps: list[Plan] = field(default_factory=list)
    memory_bytes: int = 50 * 2**20

    def settle(self, total: int, plan: Plan) -> None:
        """Carry the plan's levels out at once."""
        for name in plan.replace:
            if name in self.names:
                self.names.remove(name)
        while len(self.names) < total:
            self.started += 1
            name = f"w-{self.started}"
            self.names.append(name)
            self.caches[name] = self.cache
        for name in [*plan.victims, *reversed(self.names)]:
            if len(self.names) > total and name in self.names:
                self.names.remove(name)


class PaperTarget:
    """Implements `Target` for any number of fleets."""

    def __init__(self) -> None:
        self.groups: dict[str, Group] = {}
        self.refused: tuple[Problem, ...] = ()

    def group(self, name: str) -> Group:
        """The workers of one fleet."""
        return self.groups.setdefault(name, Group())

    async def check(self, fleet: Fleet) -> tuple[Problem, ...]:
        """Whatever the test says."""
        del fleet
        return self.refused

    async def step(self, fleet: Fleet, plan: Plan, stamp: Stamp) -> StepTaken:
        """Record and act at once."""
        group = self.group(fleet.name)
        found, group.steps = group.record, [*group.steps[-99:], plan]
        desired = group.desired if found is not None and found.intended is not None else None
        step = record_step(found, plan, stamp, Standing(now=datetime.now(UTC), owner_lives=True, desired=desired))
        group.record = step.write or found
        if step.outcome is StepOutcome.APPLIED and group.record is not None and group.record.intended is not None:
            group.desired, group.cache = group.record.intended.workers, group.record.intended.cache
            group.settle(group.desired + plan.surge, plan)
        applied = Applied(generation=stamp.generation, outcome=step.outcome, record=group.record)
        return StepTaken(found=found, applied=applied)

    async def look(self, fleet: Fleet) -> TargetLook:
        """Every worker is ready at once and uses the group's memory."""
        group, now = self.group(fleet.name), datetime.now(UTC)
        workers = tuple(
            TargetWorker(
                seen=WorkerSeen(
                    name=name,
                    state=WorkerState.READY,
                    age_seconds=60.0,
                    cache=group.caches[name],
                    memory_bytes=group.memory_bytes,
                    memory_peak_bytes=group.memory_bytes,
                    memory_age_seconds=0.0,
                ),
                host_name="paper",
                process_id=int(name.removeprefix("w-")),
            )
            for name in group.names
        )
        target = TargetSeen(
            at=now,
            quality=Quality.FRESH,
            desired=group.desired,
            cache=group.cache,
            memory_limit_bytes=LIMIT_BYTES,
        )
        recent = tuple(ended for ended in group.exits if now - ended.at < timedelta(minutes=10))
        return TargetLook(target=target, workers=workers, exits=recent)


def with_memory(group: Group, memory_bytes: int) -> Group:
    """The group with every worker at so much memory."""
    return replace(group, memory_bytes=memory_bytes)
