"""A conversation with an AI agent: one long-running workflow that answers a user's turns, one after another.

It is the kind of workflow whose cache costs real memory: all that was said stays with the run until it ends or is
evicted, and has to be built again by a replay.
"""

import asyncio
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from examples.agents.messages import Answer, Opening, Turn
    from examples.agents.model_call import call_model, calls_of_turn
    from examples.agents.transcript import Transcript

_RETRY = RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(seconds=10))


@workflow.defn(name="Conversation")
class Conversation:
    """Ends after the turn that says it is the last, or when the user has been silent for too long."""

    @workflow.init
    def __init__(self, opening: Opening) -> None:
        self._opening = opening
        self._transcript = Transcript(opening)
        self._answered = opening.answered
        self._answered_at = workflow.now()
        self._over = False
        self._answering = asyncio.Lock()

    @workflow.run
    async def run(self, _: Opening) -> int:
        """Listen until the conversation is over; the result is the number of turns it had."""
        while (silence_left := self._silence_left()) > timedelta():
            # Not one timer for each turn: this one looks again when it fires, whatever was said meanwhile.
            with suppress(TimeoutError):
                await workflow.wait_condition(self._leaves_run, timeout=silence_left)
            await workflow.wait_condition(workflow.all_handlers_finished)
            if self._over:
                break
            if self._history_is_long():
                workflow.continue_as_new(replace(self._opening, answered=self._answered))
        return self._answered

    @workflow.update
    async def turn(self, turn: Turn) -> Answer:
        """Answer the user. A turn that comes again, in whatever run, is not thought about twice."""
        model_calls = 0
        async with self._answering:  # turns may arrive faster than the model answers
            if turn.number >= self._answered:
                for call in calls_of_turn(self._opening.agent, self._opening.seed, turn.number):
                    await workflow.execute_activity(
                        call_model, call, start_to_close_timeout=call.timeout, retry_policy=_RETRY
                    )
                    model_calls += 1
                self._transcript.add_turn(turn.number)
                self._answered = turn.number + 1
                self._answered_at = workflow.now()
            self._over = self._over or turn.last
        return Answer(number=turn.number, model_calls=model_calls, transcript_bytes=self._transcript.text_bytes)

    def _silence_left(self) -> timedelta:
        idle = timedelta(seconds=self._opening.agent.idle_seconds)
        return self._answered_at + idle - workflow.now()

    def _leaves_run(self) -> bool:
        return self._over or self._history_is_long()

    def _history_is_long(self) -> bool:
        run = workflow.info()
        return (
            run.is_continue_as_new_suggested() or run.get_current_history_length() >= self._opening.agent.events_per_run
        )
