"""The workflow and the activity that experiments are made with: as large, as long and as slow as they are told."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.common import RetryPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What a run holds in memory, and what it does before it listens: so many activities, one after another."""

    state_bytes: int = 0
    object_bytes: int = 65536  # the state is a list of strings of this size
    steps: int = 0
    payload_bytes: int = 0  # of the result of each step
    listens: bool = True  # else it ends after its steps


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """An activity of a known length, with a result of a known size."""

    seconds: float = 0.0
    reply_bytes: int = 0


@activity.defn(name="rest")
async def rest(asked: Rest) -> str:
    """Wait, and give back something to carry."""
    await asyncio.sleep(asked.seconds)
    return "x" * asked.reply_bytes


@workflow.defn(name="Session")
class Session:
    """A run that stays open and cached; each touch is one workflow task."""

    @workflow.init
    def __init__(self, opening: Opening) -> None:
        self._state = [""]
        self._touches = 0
        self._over = not opening.listens
        self._listens = False
        self._grow(opening.state_bytes, opening.object_bytes)

    @workflow.run
    async def run(self, opening: Opening) -> int:
        """Do the steps, then listen until told to end."""
        for _ in range(opening.steps):
            await workflow.execute_activity(
                rest,
                Rest(reply_bytes=opening.payload_bytes),
                start_to_close_timeout=timedelta(seconds=30),
                retry_policy=RetryPolicy(initial_interval=timedelta(seconds=1)),
            )
        self._listens = True
        await workflow.wait_condition(lambda: self._over)
        return self._touches

    @workflow.update
    async def touch(self, grow_bytes: int) -> int:
        """Take so much more memory; the length of the history so far."""
        await workflow.wait_condition(lambda: self._listens)
        self._touches += 1
        self._grow(grow_bytes, max(grow_bytes, 1))
        return workflow.info().get_current_history_length()

    @workflow.update
    async def call(self, asked: Rest) -> None:
        """Run an activity, as a turn of a conversation does."""
        await workflow.execute_activity(rest, asked, start_to_close_timeout=timedelta(seconds=30))

    @workflow.signal
    def end(self) -> None:
        """End the run."""
        self._over = True

    def _grow(self, size: int, object_bytes: int) -> None:
        for taken in range(0, size, object_bytes):
            length = min(object_bytes, size - taken)
            self._state.append(f"{len(self._state):08d}" + "x" * max(length - 8, 0))
