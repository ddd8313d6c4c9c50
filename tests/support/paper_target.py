"""A scale target without processes: workers that exist on paper, under the product's own record rules.

It stands where no real target is needed: tests of the workflow and of the controller at a thousand fleets.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from activities.targets.contract import StepTaken, TargetLook, TargetWorker
from scaler.claims import Standing, record_step
from scaler.door import Problem
from scaler.fleet import Fleet
from scaler.model.common import Quality
from scaler.model.observation import TargetSeen, WorkerExit, WorkerSeen, WorkerState
from scaler.model.plan import Plan, Stamp
from scaler.model.record import Applied, StepOutcome, TargetRecord

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
    plans: list[Plan] = field(default_factory=list)
    memory_bytes: int = 50 * 2**20
    started: int = 0

    def take(self, plan: Plan, stamp: Stamp, now: datetime) -> StepTaken:
        """Write the record and carry the plan's levels out at once."""
        found = self.record
        taken = self.write(plan, stamp, now)
        if taken.applied.outcome is StepOutcome.APPLIED:
            self.act(plan)
        return StepTaken(found=found, applied=taken.applied)

    def write(self, plan: Plan, stamp: Stamp, now: datetime) -> StepTaken:
        """The first half of a step: a controller killed after it leaves the record without the act."""
        found = self.record
        self.plans = [*self.plans[-99:], plan]
        step = record_step(found, plan, stamp, Standing(now=now, owner_lives=True, desired=self.desired))
        self.record = step.write or found
        applied = Applied(generation=stamp.generation, outcome=step.outcome, record=self.record)
        return StepTaken(found=found, applied=applied)

    def act(self, plan: Plan) -> None:
        """The second half."""
        if self.record is None or self.record.intended is None:
            return
        self.desired, self.cache = self.record.intended.workers, self.record.intended.cache
        self._settle(self.desired + plan.surge, plan)

    def scaled_by_another_hand(self, workers: int) -> None:
        """What `kubectl scale` would do."""
        self.desired = workers
        self._settle(workers, Plan(size=None, until=datetime.max.replace(tzinfo=UTC)))

    def look(self, now: datetime) -> TargetLook:
        """Every worker is ready at once and uses the group's memory."""
        workers = tuple(
            TargetWorker(
                seen=WorkerSeen(
                    name=name,
                    state=WorkerState.READY,
                    age_seconds=60.0,
                    cache=self.caches[name],
                    memory_bytes=self.memory_bytes,
                    memory_peak_bytes=self.memory_bytes,
                    memory_age_seconds=0.0,
                ),
                host_name="paper",
                process_id=int(name.removeprefix("w-")),
            )
            for name in self.names
        )
        target = TargetSeen(
            at=now,
            quality=Quality.FRESH,
            desired=self.desired,
            cache=self.cache,
            memory_limit_bytes=LIMIT_BYTES,
        )
        recent = tuple(ended for ended in self.exits if now - ended.at < timedelta(minutes=10))
        return TargetLook(target=target, workers=workers, exits=recent)

    def _settle(self, total: int, plan: Plan) -> None:
        self.names = [name for name in self.names if name not in plan.replace]
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
        return self.group(fleet.name).take(plan, stamp, datetime.now(UTC))

    async def look(self, fleet: Fleet) -> TargetLook:
        """All that is on the paper."""
        return self.group(fleet.name).look(datetime.now(UTC))
