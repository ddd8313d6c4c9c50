"""The supervisor outlives controllers, and a new one goes on where it was killed: no copy, no stranger, no orphan."""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from activities.targets.contract import TargetUnreachable
from activities.targets.supervisor.client import NoSupervisor, ask
from activities.targets.supervisor.daemon import LINGER_SECONDS
from activities.targets.supervisor.protocol import Operation, Outcome, Request
from activities.targets.supervisor.session import (
    Launch,
    ProcessIdentity,
    Sessions,
    WorkerSession,
    identify,
)
from activities.targets.supervisor.state import load, save
from scaler.model.observation import ExitReason, WorkerState
from scaler.model.record import StepOutcome
from tests.support.local_fleet import (
    PATIENT,
    LocalFleet,
    alive,
    come_true,
    fleet,
    gone,
    group,
    local_fleet,
    names,
    pids,
    states,
    strike,
    worker,
)


@pytest.fixture
async def sleepers(tmp_path: Path) -> AsyncIterator[LocalFleet]:
    async with local_fleet(tmp_path, group(supervision=PATIENT)) as opened:
        yield opened


@pytest.fixture
def stranger() -> Iterator[subprocess.Popen[bytes]]:
    """A process of somebody else's."""
    with subprocess.Popen(["sleep", "1000"], start_new_session=True) as process:
        yield process
        process.kill()


async def command(name: str, opened: LocalFleet, *more: str) -> subprocess.CompletedProcess[str]:
    """What a person types."""
    line = [sys.executable, "-m", "activities.targets.supervisor", name, str(opened.place.directory), *more]
    return await asyncio.to_thread(subprocess.run, line, capture_output=True, text=True, check=False)


def supervisors(opened: LocalFleet) -> list[psutil.Process]:
    """Every process that was started as this group's supervisor."""
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if str(opened.place.directory) in (process.info["cmdline"] or ())
    ]


class TestKilled:
    async def test_its_workers_are_found_again_and_served_on(self, sleepers: LocalFleet) -> None:
        first = await sleepers.ready(3)
        await sleepers.kill_supervisor()
        assert all(alive(pid) for pid in pids(first).values())

        look = await sleepers.look()

        assert pids(look) == pids(first)
        assert states(look) == [WorkerState.READY] * 3
        assert [seen.seen.cache for seen in look.workers] == [100] * 3
        assert look.exits == ()
        taken = await sleepers.plan(3)
        assert taken.applied.outcome is StepOutcome.APPLIED
        assert pids(await sleepers.look()) == pids(first)

    async def test_a_worker_that_was_found_again_is_measured_and_drained(self, sleepers: LocalFleet) -> None:
        first = await sleepers.ready(2)
        await sleepers.kill_supervisor()
        await sleepers.until(lambda look: all(seen.seen.memory_bytes for seen in look.workers))
        await sleepers.plan(1)
        look = await sleepers.until(lambda look: len(look.workers) == 1)
        assert [ended.reason for ended in look.exits] == [ExitReason.DRAINED]
        assert not alive(pids(first)["w-2"])

    async def test_a_worker_that_was_found_again_is_started_anew_when_it_crashes(self, sleepers: LocalFleet) -> None:
        first = await sleepers.ready(1)
        await sleepers.kill_supervisor()
        await sleepers.look()
        strike(pids(first)["w-1"])
        look = await sleepers.until(lambda look: worker(look, "w-1").seen.restarts == 1)
        assert [ended.reason for ended in look.exits] == [ExitReason.CRASHED]

    async def test_a_worker_that_ended_meanwhile_is_started_anew_and_its_reason_unknown(
        self, sleepers: LocalFleet
    ) -> None:
        first = await sleepers.ready(2)
        await sleepers.kill_supervisor()
        strike(pids(first)["w-1"])
        await come_true(lambda: not alive(pids(first)["w-1"]))
        look = await sleepers.until(lambda look: worker(look, "w-1").seen.restarts == 1)
        assert [(ended.worker, ended.reason) for ended in look.exits] == [("w-1", ExitReason.UNKNOWN)]
        assert pids(look)["w-2"] == pids(first)["w-2"]

    async def test_what_such_a_worker_left_behind_is_ended(self, tmp_path: Path) -> None:
        leaves = group("sh", "-c", "sleep 1000 & echo $!; wait")
        async with local_fleet(tmp_path, leaves) as opened:
            first = await opened.ready(1)
            left = int(opened.place.log("w-1").read_text())
            await opened.kill_supervisor()
            strike(pids(first)["w-1"])
            await come_true(lambda: not alive(pids(first)["w-1"]))
            assert alive(left)
            await opened.until(lambda look: worker(look, "w-1").seen.restarts == 1)
            assert not alive(left)

    async def test_a_drain_goes_on_to_its_end(self, tmp_path: Path) -> None:
        stubborn = group("sh", "-c", "trap '' TERM; echo set; while :; do sleep 0.1; done")
        async with local_fleet(tmp_path, stubborn, fleet(behaviour={"drain": "4s"})) as opened:
            await opened.ready(1)
            await come_true(lambda: opened.place.log("w-1").read_text() == "set\n")
            await opened.plan(0)
            await opened.kill_supervisor()
            assert states(await opened.look()) == [WorkerState.DRAINING]
            look = await opened.until(lambda look: not look.workers)
            assert [ended.reason for ended in look.exits] == [ExitReason.KILLED]

    async def test_what_was_written_and_not_done_is_done_by_the_next(self, sleepers: LocalFleet) -> None:
        await sleepers.ready(1)
        await sleepers.kill_supervisor()
        state = load(sleepers.place.state)
        [entry] = state.workers
        written = replace(entry, number=2, process=None, cgroup=None, started_at=None, starts=0)
        save(sleepers.place.state, replace(state, workers=(entry, written), next_number=3))
        look = await sleepers.until(lambda look: states(look) == [WorkerState.READY] * 2)
        assert names(look) == ["w-1", "w-2"]

    async def test_at_whatever_moment_there_is_never_a_second_copy(self, sleepers: LocalFleet) -> None:
        moments = random.Random(4)
        for _ in range(8):
            replaced = tuple(names(await sleepers.look())[:1])
            step = asyncio.create_task(sleepers.plan(moments.randint(1, 5), replace=replaced))
            await asyncio.sleep(moments.uniform(0.0, 0.06))
            await sleepers.kill_supervisor()
            with suppress(TargetUnreachable):
                await step

        look = await sleepers.ready(3)

        assert sleepers.running() == set(pids(look).values())

    async def test_the_crashes_it_saw_are_told_by_the_next(self, sleepers: LocalFleet) -> None:
        first = await sleepers.ready(1)
        strike(pids(first)["w-1"])
        seen = await sleepers.until(lambda look: bool(look.exits))
        await sleepers.kill_supervisor()
        assert (await sleepers.look()).exits == seen.exits


class TestProcessIds:
    async def test_a_stranger_with_a_workers_id_is_left_alone(
        self, sleepers: LocalFleet, stranger: subprocess.Popen[bytes]
    ) -> None:
        """The state names a process that runs, but which was started at another time than the worker."""
        await sleepers.ready(1)
        await sleepers.kill_supervisor()
        state = load(sleepers.place.state)
        identity = identify(stranger.pid)
        assert identity is not None
        reused = ProcessIdentity(stranger.pid, identity.started_seconds - 5.0)
        lost = replace(state.workers[0], number=7, process=reused, cgroup=None)
        save(sleepers.place.state, replace(state, workers=(*state.workers, lost), next_number=8))

        look = await sleepers.until(lambda look: worker(look, "w-7").seen.restarts == 1)
        assert pids(look)["w-7"] != stranger.pid
        await sleepers.plan(0)
        await sleepers.until(lambda look: not look.workers)

        assert stranger.poll() is None

    def test_a_session_whose_number_went_to_a_stranger_has_no_members(
        self, tmp_path: Path, stranger: subprocess.Popen[bytes]
    ) -> None:
        """A worker ended and was reaped, and its number was given to a new session before anybody looked again."""
        with subprocess.Popen(["true"]) as ended:
            ended.wait()
        session = WorkerSession(ProcessIdentity(stranger.pid, 1.0), tmp_path / "ready", ended)
        assert session.ended()
        assert session.living(Sessions()) == []

    async def test_what_a_worker_left_behind_is_known_without_its_mark(self, tmp_path: Path) -> None:
        """A child that gave its environment up was seen while its worker lived."""
        leaves = group("sh", "-c", "env -i sleep 1000 & echo $!; wait")
        async with local_fleet(tmp_path, leaves) as opened:
            first = await opened.ready(1)
            left = int(opened.place.log("w-1").read_text())
            await opened.until(lambda look: left in look.workers[0].process_ids)
            strike(pids(first)["w-1"])
            await opened.until(lambda look: worker(look, "w-1").seen.restarts == 1)
            assert not alive(left)

    async def test_nothing_is_killed_that_only_an_earlier_boot_knew(
        self, sleepers: LocalFleet, stranger: subprocess.Popen[bytes]
    ) -> None:
        await sleepers.ready(1)
        await sleepers.end()
        state = load(sleepers.place.state)
        lost = replace(state.workers[0], number=7, process=identify(stranger.pid), cgroup=None)
        save(sleepers.place.state, replace(state, boot="an earlier one", workers=(lost,), next_number=8))

        look = await sleepers.until(lambda look: states(look) == [WorkerState.READY])

        assert names(look) == ["w-7"]
        assert [ended.reason for ended in look.exits] == [ExitReason.UNKNOWN]
        assert pids(look)["w-7"] != stranger.pid
        assert stranger.poll() is None

    async def test_no_worker_begins_before_it_is_written_down(self, tmp_path: Path) -> None:
        """Its process waits at a gate; where the supervisor dies before it opens, nothing ever ran."""
        log, ready = tmp_path / "log", tmp_path / "ready"
        launch = Launch(command=("echo", "ran"), directory="/", environment={"PATH": os.environ["PATH"]}, log=log)
        session = WorkerSession.begin(launch, ready)
        assert not session.ended()
        assert session._child is not None
        assert session._child.stdin is not None
        session._child.stdin.close()
        await come_true(session.ended)
        assert log.read_text() == ""


class TestStart:
    async def test_two_controllers_never_start_two(self, tmp_path: Path) -> None:
        opened = [LocalFleet(tmp_path, group(), fleet()) for _ in range(4)]
        try:
            looks = await asyncio.gather(*(each.answer_or_start() for each in opened for _ in range(2)))
            assert len({answer.supervisor_pid for answer in looks}) == 1
            assert [process.pid for process in supervisors(opened[0])] == [looks[0].supervisor_pid]
        finally:
            await opened[0].end()

    async def test_it_is_detached_from_who_started_it(self, sleepers: LocalFleet) -> None:
        supervisor = await sleepers.supervisor()
        assert os.getsid(supervisor.pid) == supervisor.pid != os.getsid(0)
        assert supervisor.ppid() != os.getpid()
        assert supervisor.cwd() == "/"
        assert supervisor.terminal() is None

    async def test_a_state_that_can_t_be_read_starts_nothing(self, tmp_path: Path) -> None:
        opened = LocalFleet(tmp_path, group(), fleet())
        opened.place.make()
        opened.place.state.write_text("{")
        with pytest.raises(TargetUnreachable, match=r"state\.json can't be read; repair it"):
            await opened.look()
        assert supervisors(opened) == []

    async def test_a_state_written_by_a_later_version_is_read(self, sleepers: LocalFleet) -> None:
        first = await sleepers.ready(1)
        await sleepers.kill_supervisor()
        state = json.loads(sleepers.place.state.read_text())
        state |= {"version": 99, "later": True}
        state["record"]["step"] = "leap"
        state["workers"][0]["later"] = {}
        sleepers.place.state.write_text(json.dumps(state))
        assert pids(await sleepers.look()) == pids(first)

    async def test_what_it_does_not_understand_it_refuses(self, sleepers: LocalFleet) -> None:
        for raw in (b'{"operation": "dance", "version": 9}', b'{"operation": "step"}', b"[", b""):
            reader, writer = await asyncio.open_unix_connection(sleepers.place.socket)
            writer.write(raw)
            writer.write_eof()
            answer = json.loads(await reader.read())
            writer.close()
            assert answer["outcome"] == "refused"
            assert answer["detail"]
        assert (await sleepers.plan(1)).applied.outcome is StepOutcome.APPLIED

    async def test_one_that_hangs_is_said_to(self, sleepers: LocalFleet) -> None:
        supervisor = await sleepers.supervisor()
        supervisor.suspend()
        try:
            with pytest.raises(TargetUnreachable, match="did not answer in time"):
                await sleepers.look()
        finally:
            supervisor.resume()


class TestEnd:
    async def test_sigterm_ends_it_and_leaves_its_workers_serving(self, sleepers: LocalFleet) -> None:
        first = await sleepers.ready(2)
        supervisor = await sleepers.supervisor()
        supervisor.send_signal(signal.SIGTERM)
        await gone(supervisor)
        assert not sleepers.place.socket.exists()
        assert all(alive(pid) for pid in pids(first).values())
        assert pids(await sleepers.look()) == pids(first)

    async def test_a_released_group_is_supervised_on_while_it_has_workers(self, sleepers: LocalFleet) -> None:
        first = await sleepers.ready(1)
        await sleepers.release()
        strike(pids(first)["w-1"])
        await sleepers.until(lambda look: worker(look, "w-1").seen.restarts == 1)
        record = (await sleepers.answer()).record
        assert record is not None
        assert record.owner is None

    async def test_nothing_is_left_after_a_drain_and_a_release(self, sleepers: LocalFleet) -> None:
        first = await sleepers.ready(3)
        supervisor = await sleepers.supervisor()
        await sleepers.plan(0)
        await sleepers.until(lambda look: not look.workers)
        await sleepers.release()
        await gone(supervisor)
        assert not any(alive(pid) for pid in pids(first).values())
        assert supervisors(sleepers) == []
        assert not sleepers.place.socket.exists()

    async def test_an_owned_group_keeps_its_supervisor_at_zero(self, sleepers: LocalFleet) -> None:
        supervisor = await sleepers.supervisor()
        await asyncio.sleep(LINGER_SECONDS + 0.5)
        assert supervisor.is_running()

    async def test_it_is_not_shut_down_while_it_has_workers(self, sleepers: LocalFleet) -> None:
        await sleepers.ready(1)
        answer = await ask(sleepers.place, Request(operation=Operation.SHUTDOWN))
        assert (answer.outcome, answer.detail) == (Outcome.REFUSED, "1 workers are left; scale to zero first")
        await sleepers.plan(0)
        await sleepers.until(lambda look: not look.workers)
        supervisor = await sleepers.supervisor()
        answer = await ask(sleepers.place, Request(operation=Operation.SHUTDOWN))
        assert answer.outcome is Outcome.DONE
        await gone(supervisor)
        with pytest.raises(NoSupervisor):
            await sleepers.answer()

    async def test_a_person_can_look_and_end_it_from_a_terminal(self, sleepers: LocalFleet) -> None:
        await sleepers.plan(1)
        look = await command("look", sleepers)
        assert json.loads(look.stdout)["look"]["workers"][0]["seen"]["name"] == "w-1"
        refused = await command("shutdown", sleepers)
        assert (refused.returncode, refused.stderr) == (1, "1 workers are left; scale to zero first\n")
        assert (await command("scale", sleepers, "0")).returncode == 0
        await sleepers.until(lambda look: not look.workers)
        assert (await command("shutdown", sleepers)).returncode == 0
        await come_true(lambda: not sleepers.place.socket.exists())
        silent = await command("look", sleepers)
        assert silent.returncode == 1
        assert silent.stderr.startswith("no supervisor answers in ")

    async def test_one_in_the_foreground_ends_by_a_signal(self, sleepers: LocalFleet) -> None:
        first = await sleepers.ready(1)
        detached = await sleepers.supervisor()
        detached.terminate()
        await gone(detached)
        running = asyncio.create_task(command("run", sleepers))
        await come_true(sleepers.place.socket.exists)
        assert pids(await sleepers.look()) == pids(first)
        (await sleepers.supervisor()).send_signal(signal.SIGINT)
        assert (await running).returncode == 0
        assert alive(pids(first)["w-1"])

    async def test_the_record_outlives_it(self, sleepers: LocalFleet) -> None:
        await sleepers.ready(1)
        record = (await sleepers.answer()).record
        await sleepers.plan(0)
        await sleepers.until(lambda look: not look.workers)
        await sleepers.kill_supervisor()
        await sleepers.look()
        later = (await sleepers.answer()).record
        assert record is not None
        assert later is not None
        assert later.owner == record.owner
        assert later.previous == record.intended
