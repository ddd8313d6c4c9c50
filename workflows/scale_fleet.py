"""The durable loop that keeps one fleet the right size.

One activity per tick and no timer, whatever was decided: the history's shape never depends on the algorithm, so a
changed one replays old histories.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum, auto

from temporalio import workflow
from temporalio.common import RawValue, RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities.requests import CHECK_TARGET, FLEET_MEMO, RECONCILE, CheckTarget, FleetMemo, Reconcile, Verdict
    from scaler import interventions
    from scaler.decide import decide_or_hold
    from scaler.fleet import Fleet
    from scaler.hint import Hint
    from scaler.learn.hinted import told_by, with_hints
    from scaler.model.common import Generation, Owner
    from scaler.model.decision import Decision, DecisionSummary
    from scaler.model.observation import Observation, Wake
    from scaler.model.plan import Plan, Stamp
    from scaler.model.remembered import Override, Pause, Remembered
    from scaler.state import State
    from scaler.words.explain import markdown
    from workflows import messages

TICKS_PER_RUN = 100
"""A new run costs one Action in so many ticks; a longer history would be this product's own replay storm."""

SETTLED_TICKS, PATIENT_TICKS = TICKS_PER_RUN + TICKS_PER_RUN // 2, 2 * TICKS_PER_RUN
"""An update that waits keeps its run from ending. From the first on those whose answer is there are let go before it is
asked whether any waits; from the second on those that wait are told that what they asked for goes on."""

DEAD_CONTROLLER = timedelta(seconds=30)
"""How long after its planned end a tick counts as lost with the controller that served it."""

RECONCILE_RETRY = RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(seconds=10))
CHECK_TIMEOUT = timedelta(seconds=30)
APPLY_ATTEMPTS = 3
APPLY_TIMEOUT = timedelta(minutes=3)
"""Of all attempts together and the wait for a controller: a check may not keep a run from ending either."""


class Turn(Enum):
    """What the loop does next, and what the tick under way is."""

    LOOK = auto()  # a tick that ends with its first full sample
    WATCH = auto()  # a tick as it was decided
    END = auto()  # the target was given up


@dataclass(frozen=True)
class UnderWay:
    """The tick that is under way."""

    turn: Turn
    watch: workflow.ActivityHandle[Observation]


@workflow.defn(name=messages.WORKFLOW_TYPE)
class ScaleFleet:
    """One fleet, from its declaration until it is given up."""

    @workflow.init
    def __init__(self, *_: RawValue) -> None:
        self._entered: State | None = None
        self._next = Turn.LOOK
        self._tick: UnderWay | None = None
        self._first_tick = 0  # of this run
        self._impatient = False  # updates may wait no longer
        self._applying = asyncio.Lock()

    @workflow.run
    async def run(self, *payloads: RawValue) -> None:
        """Decide, have it made so and watched, and start again."""
        self._state = _carried(payloads) or await self._enter(payloads)
        self._first_tick = self._state.ticks
        while self._next is not Turn.END:
            if await self._run_may_end():
                state = self._state
                # The memo is what other fleets see of this one's claims; a new run has none of its own.
                workflow.continue_as_new(
                    args=[state.fleet, state], memo={FLEET_MEMO: FleetMemo.of(state.fleet, state.claims)}
                )
            await self._reconcile(*self._decide())
        await workflow.wait_condition(workflow.all_handlers_finished)
        stop = self._state.memory.operator.stop
        if stop is not None and stop.cancelled:
            raise asyncio.CancelledError

    async def _run_may_end(self) -> bool:
        """Whether it is time for a new run, and no update would be lost with this one."""
        ticks = self._state.ticks - self._first_tick
        if ticks < TICKS_PER_RUN:
            return False
        if ticks >= SETTLED_TICKS and not workflow.all_handlers_finished():
            self._impatient = ticks >= PATIENT_TICKS
            await workflow.wait_condition(lambda: True)
        return workflow.all_handlers_finished()

    @staticmethod
    def decide(seen: Observation, fleet: Fleet, memory: Remembered, now: datetime) -> tuple[Decision, Remembered]:
        """What sizes the fleet; never raises. Whatever it decides, a history of another decision replays."""
        return decide_or_hold(seen, fleet, memory, now)

    def _decide(self) -> tuple[Plan, Stamp]:
        """The next plan, and where it stands. Without an observation the only plan is to look."""
        now, info = workflow.now(), workflow.info()
        owner = Owner(info.namespace, info.workflow_id)
        if workflow.cancellation_reason() is not None:
            self._remember(interventions.stopped(self._state.memory, drain=False, cancelled=True))
        if self._state.observation is None:
            plan = Plan(size=None, until=now)
            return plan, self._state.stamp(plan, None, owner, now)
        seen = with_hints(self._state.observation, self._state.hints, now)
        decision, memory = self.decide(seen, self._state.fleet, self._state.memory, now)
        self._state = self._state.decided(decision, memory)
        workflow.set_current_details(markdown(self._state))
        release = self._state.may_release
        plan = replace(decision.plan, until=now) if self._next is Turn.LOOK or release else decision.plan
        return plan, replace(self._state.stamp(plan, seen, owner, now), release=release)

    async def _reconcile(self, plan: Plan, stamp: Stamp) -> None:
        """Have one plan made so and watched. An update may end it; then its observation is lost."""
        now, turn = workflow.now(), self._next
        self._state, self._next = self._state.sent(plan, now), Turn.WATCH
        watch = workflow.start_activity(
            RECONCILE,
            Reconcile(fleet=self._state.fleet, plan=plan, stamp=stamp),
            result_type=Observation,
            task_queue=_queue_of(self._state.host),
            start_to_close_timeout=max(plan.until - now, timedelta(0)) + DEAD_CONTROLLER,
            retry_policy=RECONCILE_RETRY,
            cancellation_type=workflow.ActivityCancellationType.TRY_CANCEL,
        )
        self._tick = UnderWay(turn, watch)
        try:
            seen = await watch
            # Not in one line: the state before the wait would be taken, and what an update changed meanwhile lost.
            self._state = self._state.saw(seen)
            if self._state.overtaken or seen.woken_by is Wake.SHUTDOWN:
                # Whatever a leaving controller's last answer may lose on its way is found missing soon.
                self._next = Turn.LOOK
        except ActivityError as error:
            if not is_cancelled_exception(error):
                raise
            self._next = Turn.LOOK
        finally:
            self._tick = None
        if stamp.release and self._state.given_up(stamp.generation):
            self._next = Turn.END

    async def _enter(self, payloads: Sequence[RawValue]) -> State:
        """Take the declared fleet in, or fail with every reason why not."""
        verdict = await self._check(payloads, attempts=0)
        if verdict.fleet is None:
            raise ApplicationError(_reasons(verdict), type="InvalidFleet", non_retryable=True)
        epoch = workflow.info().workflow_start_time.timestamp()
        state = State(fleet=verdict.fleet, host=verdict.host, claims=verdict.claims, generation=Generation(epoch, 0))
        workflow.upsert_memo({FLEET_MEMO: FleetMemo.of(state.fleet, state.claims)})
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
            schedule_to_close_timeout=APPLY_TIMEOUT if attempts else None,
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
            claims = verdict.claims or self._state.claims
            self._state = replace(self._state, fleet=verdict.fleet, claims=claims)
            workflow.upsert_memo({FLEET_MEMO: FleetMemo.of(verdict.fleet, claims)})
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
        self._remember(interventions.paused(self._state.memory, Pause(reason=request.reason, since=now, until=until)))
        return await self._carried_out(self._interrupt())

    @pause.validator
    def _check_pause(self, *payloads: RawValue) -> None:
        messages.read_strictly(messages.PauseRequest, payloads)

    @workflow.update(name="resume")
    async def resume(self, *_: RawValue) -> State:
        """End a pause, and a hold for somebody else's hand."""
        await self._ready()
        self._remember(interventions.resumed(self._state.memory, workflow.now()))
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
        self._remember(interventions.overridden(self._state.memory, override, now))
        return await self._carried_out(self._interrupt())

    @override.validator
    def _check_override(self, *payloads: RawValue) -> None:
        messages.read_override_strictly(payloads)

    @workflow.update(name="clear_override")
    async def clear_override(self, *_: RawValue) -> State:
        """Decide by the load again."""
        await self._ready()
        self._remember(interventions.override_cleared(self._state.memory))
        return await self._carried_out(self._interrupt())

    @clear_override.validator
    def _check_clear_override(self, *payloads: RawValue) -> None:
        messages.read_strictly(messages.Nothing, payloads)

    @workflow.update(name="stop")
    async def stop(self, *payloads: RawValue) -> State:
        """Give the fleet up, its workers as they are or, with `drain`, gone; answered when that is so."""
        request = messages.read_accepted(messages.StopRequest, payloads)
        await self._ready()
        self._remember(interventions.stopped(self._state.memory, drain=request.drain))
        self._interrupt()
        await self._until(lambda: self._next is Turn.END)
        if self._next is not Turn.END:
            raise ApplicationError("it goes on being stopped, but that is not done yet", type="NotConfirmed")
        if request.drain and (why := self._state.out_of_reach) is not None:
            message = f"it was given up, but its workers could not be taken away: {why}"
            raise ApplicationError(message, type="NotConfirmed")
        return self._state

    @stop.validator
    def _check_stop(self, *payloads: RawValue) -> None:
        messages.read_stop_strictly(payloads, self._entered, workflow.now())

    @workflow.update(name="hint")
    async def hint(self, *payloads: RawValue) -> None:
        """Take one worker's own figures in at once; a stranger's cost nothing, and no look is cut short."""
        request = messages.read_accepted(messages.HintRequest, payloads)
        await self._ready()
        hint = Hint(**request.model_dump())
        if self._state.observation is None or told_by(self._state.observation, hint) is None:
            return
        self._state = self._state.hinted(hint, workflow.now())
        if self._tick is None or self._tick.turn is not Turn.LOOK:
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
        if self._next is not Turn.END:
            self._next = Turn.LOOK
        if self._tick is not None:
            self._tick.watch.cancel()
        return self._state.generation.next()

    async def _until(self, holds: Callable[[], bool]) -> None:
        """Wait until something is so, or for as long as a run has patience: none may be kept from ending."""
        await workflow.wait_condition(lambda: holds() or self._impatient)

    async def _carried_out(self, generation: Generation) -> State:
        """Wait until the target answered this plan or a later one; fail the update where it did not take it."""
        await self._until(lambda: self._next is Turn.END or self._state.answered(generation))
        if self._next is Turn.END:
            raise ApplicationError("the fleet was stopped before this could be carried out", type="FleetStopped")
        if self._state.carries(generation):
            return self._state
        why = self._state.failed(generation) or "it has not answered"
        raise ApplicationError(f"it is in force, but the target has not confirmed it: {why}", type="NotConfirmed")


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
