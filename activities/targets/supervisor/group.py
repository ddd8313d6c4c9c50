"""The group of workers that a supervisor keeps as it was told to: whole steps against a record, and a steady watch.

Everything is written down before it is done, so that a supervisor that is killed at any moment has a successor
that goes on: what was written is done or found done, and what was not written was not begun. Where nothing can be
written, on a full disk, it goes on all the same, and a successor ends what it does not know.
"""

import logging
from dataclasses import replace
from datetime import UTC, datetime

from activities.targets.supervisor import levels
from activities.targets.supervisor.last_words import last_line, shown
from activities.targets.supervisor.launch import Launched, launch
from activities.targets.supervisor.protocol import Outcome, Place, Step
from activities.targets.supervisor.readiness import heard
from activities.targets.supervisor.session import Sessions, boot_id, kill, marked, session_of
from activities.targets.supervisor.sight import Sight
from activities.targets.supervisor.state import Moment, SupervisorState, WorkerEntry, load, save
from activities.targets.supervisor.worker import Worker, found_again
from scaler.model.observation import ExitReason, WorkerExit
from scaler.wire.units import format_size

_logger = logging.getLogger(__name__)


class Group:
    """The workers of one place. Its methods don't wait."""

    def __init__(self, place: Place, now: Moment) -> None:
        self._place = place
        self.state = load(place.state)
        self._unwritten = False  # the newest state is in memory alone
        self._commit(levels.after_boot(self.state, boot_id(), datetime.now(UTC), now))
        self._workers: dict[int, Worker] = {}
        for entry in self.state.workers:
            if (worker := found_again(entry, place.ready(entry.name))) is not None:
                self._workers[entry.number] = worker
                _logger.info("%s is looked for as process %d", entry.name, worker.pid)
        self._end_unwritten()

    def _end_unwritten(self) -> None:
        """End workers that an earlier supervisor started while its disk was full: nobody could take them over."""
        known = {worker.pid for worker in self._workers.values()}
        serving = {entry.name for entry in self.state.workers if self._serves(entry.number)}
        for process, name in marked(self._place.ready("w").parent):
            if session_of(process) not in known and name not in serving:
                _logger.warning("process %d is %s, but was never written down: it is ended", process.pid, name)
                kill((process,))

    def _serves(self, number: int) -> bool:
        worker = self._workers.get(number)
        return worker is not None and not worker.has_ended()

    def sight(self, now: Moment) -> Sight:
        """The group as it is now."""
        return Sight(self._place, self.state, self._workers, now)

    def step(self, step: Step, now: Moment) -> Outcome:
        """Write a step down if the record is still the one that its sender has read; the next poll acts on it."""
        found = self.state
        if step.revision != found.revision:
            return Outcome.CONFLICT
        after = found
        if step.record is not None:
            after = replace(after, record=step.record, revision=found.revision + 1)
        if step.wanted is not None:
            after = levels.levelled(levels.redefined(after, step.wanted, now), step, now)
        self._keep(after)
        if after.wanted is not None and after.wanted != found.wanted:
            wanted = after.wanted
            _logger.info("%d workers are wanted, surge %d, cache %s", wanted.workers, wanted.surge, wanted.cache)
        return Outcome.DONE

    def scale(self, workers: int, now: Moment) -> str | None:
        """Want another number of workers and leave the record alone; returns why not, if that can't be."""
        if self.state.wanted is None:
            return "no plan has said yet what a worker is"
        if workers < 0:
            return f"the number of workers must be at least 0, found {workers}"
        _logger.info("somebody else's hand wants %d workers", workers)
        # Whoever wants none wants no borrowed one either: this is how a person ends a group.
        surge = self.state.wanted.surge if workers else 0
        wanted = replace(self.state.wanted, workers=workers, surge=surge)
        after = replace(self.state, wanted=wanted, revision=self.state.revision + 1)
        self._keep(levels.levelled(after, Step(revision=after.revision), now))
        return None

    def poll(self, now: Moment) -> None:
        """Do what is due; to be called a few times a second, and after every change of what is wanted."""
        sessions = Sessions()
        after = self.state
        ends = []
        for entry in self.state.workers:
            if (worker := self._workers.get(entry.number)) is None:
                continue
            watched = worker.poll(entry, sessions, now)
            if worker.gone:
                ends.append(worker.told(watched))
                after = levels.after_end(after, self._with_last_words(watched, worker), ends[-1], now)
            elif watched != entry:
                after = after.with_worker(watched)
        self._keep(heard(self._place, after, now))
        self._forget(ends)
        self._start_due(now)

    def _with_last_words(self, entry: WorkerEntry, worker: Worker) -> WorkerEntry:
        environment = self.state.wanted.definition.environment if self.state.wanted is not None else {}
        return replace(
            entry, last_status=worker.exit_status, last_words=last_line(self._place.log(entry.name), environment)
        )

    def _forget(self, ends: list[WorkerExit]) -> None:
        for ended in ends:
            memory = format_size(ended.memory_bytes) if ended.memory_bytes is not None else "unknown"
            _logger.info("%s %s, cache %s, memory %s", ended.worker, ended.reason, ended.cache, memory)
        for number in [number for number, worker in self._workers.items() if worker.gone]:
            self._workers.pop(number).clear_up()

    def _start_due(self, now: Moment) -> None:
        """Start who is due: all wait at a gate until they are written down."""
        after, wanted, definition = self.state, self.state.wanted, self.state.starting
        launched: list[Launched] = []
        for entry in self.state.workers:
            if wanted is None or definition is None or entry.process is not None or entry.start_at > now:
                continue
            try:
                launched.append(launch(self._place, replace(wanted, definition=definition), entry, now))
                after = after.with_worker(launched[-1].entry)
            except (OSError, ValueError) as error:  # no such directory; a command that no system takes
                _logger.warning("%s can't be started: %s", entry.name, error)
                tried = replace(
                    entry,
                    cache=wanted.cache,
                    version=definition.version,
                    started_at=now,
                    starts=entry.starts + 1,
                    last_status=None,
                    last_words=shown(str(error), definition.environment),
                )
                after = levels.after_end(after, tried, _never_ran(tried), now)
        self._keep(after)
        for one in launched:
            self._workers[one.entry.number] = one.worker
            one.worker.go()
            _logger.info("%s", _begun(one))

    def _keep(self, after: SupervisorState) -> None:
        """Go on with what happened, also where it can't be written down: workers end and start on a full disk too.

        A successor would find the state before: it looks for the processes itself, and ends those that nobody wrote
        down.
        """
        try:
            self._commit(after)
        except OSError as error:
            self.state = after
            if not self._unwritten:
                _logger.warning("the state can't be written: %s; it is kept in memory", error.strerror)
            self._unwritten = True

    def _commit(self, after: SupervisorState) -> None:
        if after == self.state and not self._unwritten:
            return
        save(self._place.state, after)
        self.state = after
        if self._unwritten:
            _logger.info("the state is written again")
        self._unwritten = False


def _begun(one: Launched) -> str:
    entry = one.entry
    limit = format_size(entry.memory_limit_bytes) if entry.memory_limit_bytes is not None else "unlimited"
    where = f"{entry.name} starts as process {one.worker.pid}"
    return f"{where}, cache {entry.cache}, memory {limit}, enforced by {entry.enforcement}"


def _never_ran(entry: WorkerEntry) -> WorkerExit:
    return WorkerExit(worker=entry.name, reason=ExitReason.CRASHED, at=datetime.now(UTC), cache=entry.cache)
