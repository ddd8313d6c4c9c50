"""The durable loop that keeps one fleet the right size.

One activity per tick and no timer, whatever was decided: the history's shape never depends on the algorithm, so a
changed one replays old histories.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.common import RawValue, RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities.requests import CHECK_TARGET, FLEET_MEMO, RECONCILE, CheckTarget, FleetMemo, Reconcile, Verdict
    from scaler import interventions as operator
    from scaler.decide import decide_or_hold
    from scaler.fleet import Fleet
    from scaler.hint import Hint, with_hint
    from scaler.model.common import Generation, Owner
    from scaler.model.decision import Decision, DecisionSummary
    from scaler.model.observation import Observation
    from scaler.model.plan import Plan, Stamp
    from scaler.model.remembered import Override, Pause, Remembered
    from scaler.state import State
    from scaler.words.explain import markdown
    from workflows import messages

TICKS_PER_RUN = 100
"""A new run costs one Action in so many ticks; a longer history would be this product's own replay storm."""

DEAD_CONTROLLER = timedelta(seconds=30)
"""How long after its planned end a tick counts as lost with the controller that served it."""

RECONCILE_RETRY = RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(seconds=10))
CHECK_TIMEOUT = timedelta(seconds=30)
APPLY_ATTEMPTS = 3


@workflow.defn(name=messages.WORKFLOW_TYPE)
class ScaleFleet:
    """One fleet, from its declaration until it is given up."""

    @workflow.init
    def __init__(self, *_: RawValue) -> None:
        self._entered: State | None = None
        self._watch: workflow.ActivityHandle[Observation] | None = None
        self._short = True  # the next tick is a short look
        self._looking = False  # this one is
        self._given_up = False
        self._applying = asyncio.Lock()

    @workflow.run
    async def run(self, *payloads: RawValue) -> None:
        """Decide, have it made so and watched, and start again."""
        self._state = _carried(payloads) or await self._enter(payloads)
        first_tick = self._state.ticks
        while not self._given_up:
            if self._state.ticks >= first_tick + TICKS_PER_RUN and workflow.all_handlers_finished():
                workflow.continue_as_new(args=[self._state.fleet, self._state])
            plan, release = self._decide()
            await self._tick(plan, release=release)
        await workflow.wait_condition(workflow.all_handlers_finished)
        if workflow.cancellation_reason() is not None:
            raise asyncio.CancelledError

    @staticmethod
    def decide(seen: Observation, fleet: Fleet, memory: Remembered, now: datetime) -> tuple[Decision, Remembered]:
        """What sizes the fleet; never raises. Whatever it decides, a history of another decision replays."""
        return decide_or_hold(seen, fleet, memory, now)

    def _decide(self) -> tuple[Plan, bool]:
        """The next plan, and whether it gives the target up. Without an observation the only plan is to look."""
        now = workflow.now()
        if workflow.cancellation_reason() is not None:
            self._remember(operator.stopped(self._state.memory, drain=False))
        if self._state.observation is None:
            return Plan(size=None, until=now), False
        decision, memory = self.decide(self._state.observation, self._state.fleet, self._state.memory, now)
        self._state = self._state.decided(decision, memory)
        workflow.set_current_details(markdown(self._state))
        release = self._state.may_release
        plan = replace(decision.plan, until=now) if self._short or release else decision.plan
        return plan, release

    async def _tick(self, plan: Plan, *, release: bool) -> None:
        """Have one plan made so and watched. An update may end it; then its observation is lost."""
        now, info = workflow.now(), workflow.info()
        sent = self._state.sent(plan, now)
        stamp = Stamp(
            owner=Owner(info.namespace, info.workflow_id),
            generation=sent.generation,
            wake_from=self._state.wake_from(now),
            fence=self._state.fence,
            release=release,
        )
        self._state, self._looking, self._short = sent, self._short, False
        self._watch = workflow.start_activity(
            RECONCILE,
            Reconcile(fleet=sent.fleet, plan=plan, stamp=stamp),
            result_type=Observation,
            task_queue=_queue_of(sent.host),
            start_to_close_timeout=max(plan.until - now, timedelta(0)) + DEAD_CONTROLLER,
            retry_policy=RECONCILE_RETRY,
            cancellation_type=workflow.ActivityCancellationType.TRY_CANCEL,
        )
        try:
            seen = await self._watch
            # Not in one line: the state before the wait would be taken, and what an update changed meanwhile lost.
            self._state = self._state.saw(seen)
            self._short = self._short or self._state.overtaken
        except ActivityError as error:
            if not is_cancelled_exception(error):
                raise
            self._short = True
        finally:
            self._watch = None
        self._given_up = release and self._state.carries(sent.generation)

    async def _enter(self, payloads: Sequence[RawValue]) -> State:
        """Take the declared fleet in, or fail with every reason why not."""
        verdict = await self._check(payloads, attempts=0)
        if verdict.fleet is None:
            raise ApplicationError(_reasons(verdict), type="InvalidFleet", non_retryable=True)
        epoch = workflow.info().workflow_start_time.timestamp()
        state = State(fleet=verdict.fleet, host=verdict.host, generation=Generation(epoch, 0))
        workflow.upsert_memo({FLEET_MEMO: FleetMemo.of(state.fleet)})
        return state

    async def _check(self, payloads: Sequence[RawValue], *, attempts: int) -> Verdict:
        submission = messages.submitted(payloads)
        current = self._entered
        request = CheckTarget(
            submission=submission,
            workflow_id=workflow.info().workflow_id,
            current=current.fleet if current else None,
        )
        verdict: Verdict = await workflow.execute_activity(
            CHECK_TARGET,
            request,
            result_type=Verdict,
            task_queue=_queue_of(current.host if current else messages.host(submission)),
            start_to_close_timeout=CHECK_TIMEOUT,
            retry_policy=replace(RECONCILE_RETRY, maximum_attempts=attempts),
        )
        return verdict

    @workflow.update(name="apply")
    async def apply(self, *payloads: RawValue) -> State:
        """Replace the declaration; name, target and Temporal place are fixed for life."""
        await self._ready()
        async with self._applying:
            try:
                verdict = await self._check(payloads, attempts=APPLY_ATTEMPTS)
            except ActivityError as error:
                raise ApplicationError(f"the fleet could not be checked: {error.cause}", type="FleetRefused") from error
            if verdict.fleet is None:
                raise ApplicationError(_reasons(verdict), type="FleetRefused")
            self._state = replace(self._state, fleet=verdict.fleet)
            workflow.upsert_memo({FLEET_MEMO: FleetMemo.of(verdict.fleet)})
            return await self._carried_out(self._interrupt())

    @apply.validator
    def _check_apply(self, *payloads: RawValue) -> None:
        messages.read_fleet_strictly(payloads)

    @workflow.update(name="pause")
    async def pause(self, *payloads: RawValue) -> State:
        """Leave all sizes alone, even in an emergency; answered once the target is out of reach of older plans."""
        request = messages.read_accepted(messages.PauseRequest, payloads)
        await self._ready()
        now = workflow.now()
        until = now + request.duration if request.duration is not None else None
        self._remember(operator.paused(self._state.memory, Pause(reason=request.reason, since=now, until=until)))
        return await self._carried_out(self._interrupt())

    @pause.validator
    def _check_pause(self, *payloads: RawValue) -> None:
        messages.read_strictly(messages.PauseRequest, payloads)

    @workflow.update(name="resume")
    async def resume(self, *_: RawValue) -> State:
        """End a pause, and a hold for somebody else's hand."""
        await self._ready()
        self._remember(operator.resumed(self._state.memory, workflow.now()))
        return await self._carried_out(self._interrupt())

    @resume.validator
    def _check_resume(self, *payloads: RawValue) -> None:
        messages.read_strictly(messages.Nothing, payloads)

    @workflow.update(name="override")
    async def override(self, *payloads: RawValue) -> State:
        """Go to a size and stay there until it expires; the safety rules still shape the way."""
        request = messages.read_accepted(messages.OverrideRequest, payloads)
        await self._ready()
        now = workflow.now()
        override = Override(
            reason=request.reason, until=now + request.duration, workers=request.workers, cache=request.cache
        )
        self._remember(operator.overridden(self._state.memory, override, now))
        return await self._carried_out(self._interrupt())

    @override.validator
    def _check_override(self, *payloads: RawValue) -> None:
        messages.read_override_strictly(payloads)

    @workflow.update(name="clear_override")
    async def clear_override(self, *_: RawValue) -> State:
        """Decide by the load again."""
        await self._ready()
        self._remember(operator.override_cleared(self._state.memory))
        return await self._carried_out(self._interrupt())

    @clear_override.validator
    def _check_clear_override(self, *payloads: RawValue) -> None:
        messages.read_strictly(messages.Nothing, payloads)

    @workflow.update(name="stop")
    async def stop(self, *payloads: RawValue) -> State:
        """Give the fleet up, its workers as they are or, with `drain`, gone; answered when that is so."""
        request = messages.read_accepted(messages.StopRequest, payloads)
        await self._ready()
        self._remember(operator.stopped(self._state.memory, drain=request.drain))
        self._interrupt()
        await workflow.wait_condition(lambda: self._given_up)
        return self._state

    @stop.validator
    def _check_stop(self, *payloads: RawValue) -> None:
        messages.read_strictly(messages.StopRequest, payloads)

    @workflow.update(name="hint")
    async def hint(self, *payloads: RawValue) -> None:
        """Take one worker's own figures in at once; a look that is under way is left to its end."""
        request = messages.read_accepted(messages.HintRequest, payloads)
        await self._ready()
        if self._state.observation is not None:
            seen = with_hint(self._state.observation, Hint(**request.model_dump()), workflow.now())
            self._state = replace(self._state, observation=seen)
        if not self._looking:
            self._interrupt()

    @hint.validator
    def _check_hint(self, *payloads: RawValue) -> None:
        messages.read_strictly(messages.HintRequest, payloads)

    @workflow.query(name="status")
    def status(self, *_: RawValue) -> State | None:
        """All that is known; null until the declaration was checked."""
        return self._entered

    @workflow.query(name="decisions")
    def decisions(self, *_: RawValue) -> tuple[DecisionSummary, ...]:
        """The newest decisions that differ, oldest first."""
        return self._entered.decisions if self._entered is not None else ()

    @property
    def _state(self) -> State:
        if self._entered is None:
            raise RuntimeError("the fleet was not checked yet")
        return self._entered

    @_state.setter
    def _state(self, state: State) -> None:
        self._entered = state

    def _remember(self, memory: Remembered) -> None:
        self._state = replace(self._state, memory=memory)

    async def _ready(self) -> None:
        await workflow.wait_condition(lambda: self._entered is not None)

    def _interrupt(self) -> Generation:
        """End the watch, have the next tick start at once and be short; returns the generation it will have."""
        self._short = True
        if self._watch is not None:
            self._watch.cancel()
        return self._state.generation.next()

    async def _carried_out(self, generation: Generation) -> State:
        """Wait until the target answered this plan or a later one; fail the update where it did not take it."""
        await workflow.wait_condition(
            lambda: self._given_up or self._state.carries(generation) or self._state.failed(generation) is not None
        )
        if (why := self._state.failed(generation)) is not None:
            raise ApplicationError(f"it is in force, but the target has not confirmed it: {why}", type="NotConfirmed")
        return self._state


def _carried(payloads: Sequence[RawValue]) -> State | None:
    """The state of the run before; only a continued run may bring one."""
    if workflow.info().continued_run_id is None or len(payloads) != 2:  # noqa: PLR2004 (fleet and state)
        return None
    state: State = workflow.payload_converter().from_payload(payloads[1].payload, State)
    return state


def _queue_of(host: str | None) -> str:
    """Local targets are served by the controllers of their host, all else by any."""
    queue = workflow.info().task_queue
    return queue if host is None else f"{queue}@{host}"


def _reasons(verdict: Verdict) -> str:
    return "; ".join(map(str, verdict.problems)) or "the target was refused without a reason"
