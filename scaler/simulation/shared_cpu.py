"""Tasks that share a worker's CPU: so many cores, equally divided, no task more than one (processor sharing).

Replays and short tasks run side by side in threads, as they do in an SDK; a long one slows the short ones but does
not stop them.
"""

import heapq


class SharedCpu:
    """The workflow tasks that run on one worker.

    Virtual time is the CPU time that each running task has had since the start; a task ends when it has had its work.
    """

    __slots__ = ("_cores", "_now", "_tasks", "_virtual", "changes")

    def __init__(self, cores: float) -> None:
        self._cores = cores
        self._now = 0.0
        self._virtual = 0.0
        self._tasks: list[tuple[float, int]] = []
        self.changes = 0  # an end that was foretold before the newest change is no longer true

    def __len__(self) -> int:
        return len(self._tasks)

    def add(self, task: int, work_seconds: float, now: float) -> None:
        """A task starts."""
        self._pass(now)
        heapq.heappush(self._tasks, (self._virtual + work_seconds, task))
        self.changes += 1

    def end_first(self, now: float) -> int:
        """The task that ends next ends now."""
        self._pass(now)
        self.changes += 1
        return heapq.heappop(self._tasks)[1]

    def stop(self) -> None:
        """The worker is gone: nothing ends any more."""
        self._tasks.clear()
        self.changes += 1

    def next_end(self) -> float:
        """When the next task ends if none comes before."""
        left = max(self._tasks[0][0] - self._virtual, 0.0)
        return self._now + left * max(1.0, len(self._tasks) / self._cores)

    def _pass(self, now: float) -> None:
        running = len(self._tasks)
        if running:
            self._virtual += (now - self._now) * min(1.0, self._cores / running)
        self._now = now
