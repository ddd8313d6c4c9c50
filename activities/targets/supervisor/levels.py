"""From what is wanted and what there is to who goes and how many come. Pure: levels, not changes.

Asking twice for the same is asking once: whoever is on its way out already counts no more.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from activities.targets.supervisor.protocol import Step
from activities.targets.supervisor.state import Failure, Moment, SupervisorState, WorkerEntry
from activities.targets.supervisor.wanted import BackOff, Wanted
from scaler.model.observation import ExitReason, WorkerExit

CRASHES_TO_FAIL: Final = 2
"""Ends in a row of one worker, none of whose version was ever ready."""

RETRY_SECONDS: Final = 3600.0


def levelled(found: SupervisorState, step: Step, now: Moment) -> SupervisorState:
    """With as many workers that are not draining as are wanted: others drain from now on, new ones are due now.

    Whoever waits for a restart has nothing to finish and is gone at once.
    """
    wanted = found.wanted
    if wanted is None:
        return found
    goes = leaving(found.workers, step, wanted.keep)
    drain_until = now + wanted.drain_seconds
    stay = [
        replace(entry, drain_until=drain_until) if entry.number in goes else entry
        for entry in found.workers
        if entry.number not in goes or entry.process is not None
    ]
    number = found.next_number
    come = missing(stay, wanted.keep)
    new = [WorkerEntry(number=number + place, start_at=now) for place in range(come)]
    return replace(found, workers=(*stay, *new), next_number=number + come)


def leaving(workers: Sequence[WorkerEntry], step: Step, keep: int) -> frozenset[int]:
    """The numbers of the workers that are to go: all in `replace`, and of those too many the victims first.

    Where the victims do not suffice nobody said who is least loaded: those that wait for a restart go first,
    then the youngest, who have the least in their caches.
    """
    counting = [entry for entry in workers if not entry.draining]
    replaced = {entry.number for entry in counting if entry.name in step.replace}
    staying = [entry for entry in counting if entry.number not in replaced]

    def order(entry: WorkerEntry) -> tuple[int, bool, int]:
        listed = entry.name in step.victims
        place = step.victims.index(entry.name) if listed else len(step.victims)
        return place, entry.process is not None, -entry.number

    too_many = max(0, len(staying) - keep)
    return frozenset(replaced | {entry.number for entry in sorted(staying, key=order)[:too_many]})


def missing(workers: Sequence[WorkerEntry], keep: int) -> int:
    """How many workers are to come."""
    return max(0, keep - sum(not entry.draining for entry in workers))


def after_end(found: SupervisorState, entry: WorkerEntry, told: WorkerExit, now: Moment) -> SupervisorState:
    """After the last process of a worker is gone: it was to go, or it is due again after its back-off."""
    after = found.with_exit(told)
    if entry.draining or found.wanted is None:
        return after.without_worker(entry.number)
    due = _due_again(entry, found.wanted.supervision.back_off, now)
    after = after.with_worker(due)
    if told.reason is ExitReason.OOM_KILLED:  # which says something of its size, not of its definition
        return after
    return _given_up(after, due, found.wanted.definition.version, now)


def _given_up(found: SupervisorState, entry: WorkerEntry, newest: str, now: Moment) -> SupervisorState:
    """With the newest definition marked as one that does not come up, once a worker of it has ended twice in a row.

    Where another served before, that is what starts from now on, and at once.
    """
    proven = found.proven is not None and found.proven.version == newest
    if proven or entry.version != newest or entry.crashes < CRASHES_TO_FAIL:
        return found
    failure = Failure(
        version=newest,
        worker=entry.name,
        starts=entry.starts,
        status=entry.last_status,
        last_words=entry.last_words,
        at=now,
    )
    after = replace(found, failed=failure)
    return after if after.proven is None else _started_anew(after, now)


def redefined(found: SupervisorState, wanted: Wanted, now: Moment) -> SupervisorState:
    """With other levels. A definition that is new is tried at once by whoever waits for a restart of the one before.

    One that did not come up is tried once more after an hour: what it lacked may be there by then.
    """
    after = replace(found, wanted=wanted)
    if found.failed is not None and now - found.failed.at >= RETRY_SECONDS:
        after = replace(after, failed=None)
    if found.wanted is None or found.wanted.definition == wanted.definition:
        return after
    return _started_anew(replace(after, failed=None), now)


def _started_anew(found: SupervisorState, now: Moment) -> SupervisorState:
    waiting = (entry for entry in found.workers if entry.process is None)
    for entry in waiting:
        found = found.with_worker(replace(entry, start_at=now, crashes=0))
    return found


def after_boot(found: SupervisorState, boot: str, now: datetime, moment: Moment) -> SupervisorState:
    """On a machine that was started anew no process is left, and moments of the boot before mean nothing."""
    after = replace(found, boot=boot)
    if found.boot == boot:
        return after
    for entry in found.workers:
        if entry.process is not None:
            reason = ExitReason.DRAINED if entry.draining else ExitReason.UNKNOWN
            after = after.with_exit(WorkerExit(worker=entry.name, reason=reason, at=now, cache=entry.cache))
        due = replace(entry, process=None, cgroup=None, started_at=None, start_at=moment, crashes=0)
        after = after.without_worker(entry.number) if entry.draining else after.with_worker(due)
    return after


def _due_again(entry: WorkerEntry, back_off: BackOff, now: Moment) -> WorkerEntry:
    ran_seconds = now - entry.started_at if entry.started_at is not None else 0.0
    crashes = 1 if ran_seconds >= back_off.reset_after_seconds else entry.crashes + 1
    start_at = now + back_off.delay_seconds(crashes)
    return replace(entry, process=None, cgroup=None, crashes=crashes, start_at=start_at)
