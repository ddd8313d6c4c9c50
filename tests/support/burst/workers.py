"""Workers of a burst: slots, a cache whose runs cost memory, and what a plain SDK keeps of evicted ones."""

from collections import OrderedDict, deque
from dataclasses import dataclass, field

from benchmarks.live.site import SLOTS
from tests.support.burst.turns import Turn

MIB = 2**20
EMPTY_BYTES = 62.0 * MIB
"""What a worker of examples/agents takes that has nothing cached."""

LIMIT_BYTES = 192 * MIB
START_SECONDS = 4.4
"""From its order until it polls: three seconds as a pod's, and what Python takes."""

BEAT_SECONDS = 5.0
TIMEOUT_SECONDS = 12.0
"""After so long a model call counts as lost with its worker."""


@dataclass(frozen=True, slots=True)
class Call:
    """A model call under way."""

    turn: Turn
    began: float
    ends: float


@dataclass(frozen=True, slots=True)
class Beat:
    """What a worker last told of itself."""

    at: float
    slots_used: int
    activities_per_second: float
    workflow_tasks_per_second: float
    cached: int


@dataclass(slots=True, kw_only=True)
class BurstWorker:
    """One worker; times are seconds since the load began."""

    name: str
    cache: int
    born: float
    ready_at: float
    frees: bool  # whether an evicted run gives its memory back
    draining_until: float | None = None
    restarts_at: float | None = None
    restarts: int = 0
    cached: OrderedDict[int, float] = field(default_factory=OrderedDict)
    kept_bytes: float = 0.0  # of runs that were evicted
    peak_bytes: float = 0.0
    calls: list[Call] = field(default_factory=list)
    beat: Beat | None = None
    _activities: deque[float] = field(default_factory=deque)
    _workflow_tasks: deque[float] = field(default_factory=deque)

    def state(self, now: float) -> str:
        """As its target would call it."""
        if self.draining_until is not None:
            return "draining"
        if self.restarts_at is not None:
            return "restarting"
        return "ready" if now >= self.ready_at else "starting"

    def memory_bytes(self, now: float) -> float:
        """What it takes; while it starts, less than an empty one."""
        if self.restarts_at is not None:
            return 0.0
        if now < self.ready_at:
            return EMPTY_BYTES * max(0.05, 1 - (self.ready_at - now) / 1.4)
        return EMPTY_BYTES + sum(self.cached.values()) + self.kept_bytes

    @property
    def has_room(self) -> bool:
        """Whether a slot is free."""
        return len(self.calls) < SLOTS

    def serve_workflow_task(self, conversation: int, run_bytes: float, now: float) -> None:
        """Have the run cached; the one that was not used for longest may have to leave."""
        self._workflow_tasks.append(now)
        self.cached[conversation] = run_bytes
        self.cached.move_to_end(conversation)
        while len(self.cached) > self.cache:
            _, freed = self.cached.popitem(last=False)
            self.kept_bytes += 0.0 if self.frees else freed

    def ended_calls(self, now: float) -> list[Call]:
        """The calls that have ended by now."""
        ended = [call for call in self.calls if call.ends <= now]
        self.calls = [call for call in self.calls if call.ends > now]
        self._activities.extend(now for _ in ended)
        return ended

    def killed(self, now: float, back_off_seconds: float) -> list[Call]:
        """End it for its memory; what it was doing is lost."""
        lost, self.calls = self.calls, []
        self.cached.clear()
        self.kept_bytes, self.beat = 0.0, None
        self.restarts += 1
        self.restarts_at = now + back_off_seconds
        return lost

    def restarted(self, now: float) -> None:
        """Start its next process."""
        self.restarts_at, self.born, self.ready_at = None, now, now + START_SECONDS

    def tell(self, now: float) -> None:
        """Beat, where that is due: first one interval after it began to poll."""
        due = self.ready_at + BEAT_SECONDS if self.beat is None else self.beat.at + BEAT_SECONDS
        if self.state(now) != "ready" or now < due:
            return
        self.beat = Beat(
            at=due if now - due < BEAT_SECONDS else now,
            slots_used=len(self.calls),
            activities_per_second=_counted(self._activities, now) / BEAT_SECONDS,
            workflow_tasks_per_second=_counted(self._workflow_tasks, now) / BEAT_SECONDS,
            cached=len(self.cached),
        )


def _counted(moments: deque[float], now: float) -> int:
    while moments and moments[0] < now - BEAT_SECONDS:
        moments.popleft()
    return len(moments)
