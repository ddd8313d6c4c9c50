"""A local group where something around it is wrong: a full disk, a place that is not ours, a request that is none."""

import asyncio
import json
import os
import shutil
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from activities.targets.contract import TargetUnreachable
from activities.targets.local import LocalTarget
from activities.targets.recorder import RecorderTarget
from activities.targets.supervisor import logs
from activities.targets.supervisor.protocol import Place
from activities.targets.supervisor.state import load
from activities.targets.supervisor.unattended import ask_or_read
from scaler.model.observation import ExitReason, WorkerState
from scaler.model.plan import Plan
from scaler.model.record import StepOutcome
from tests.support.local_fleet import (
    PATIENT,
    LocalFleet,
    alive,
    come_true,
    fleet,
    group,
    lives,
    local_fleet,
    names,
    pids,
    python,
    states,
    strike,
    worker,
)

DISK_BYTES = 16 * 2**20
CHATTY = python(
    "import sys, time\n"
    "while True:\n"
    "    try: sys.stdout.write('x' * 65536); sys.stdout.flush()\n"
    "    except OSError: time.sleep(0.05)\n"
)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own that fills up quickly; skips where this machine lets none be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("no file system can be mounted here")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


class TestFullDisk:
    async def test_plans_are_carried_out_and_killed_workers_come_back(self, small_disk: Path) -> None:
        """What workers write and what their supervisor must remember share a file system."""
        async with local_fleet(small_disk, group(*CHATTY, supervision=PATIENT)) as opened:
            first = await opened.ready(3)
            await come_true(lambda: shutil.disk_usage(small_disk).free == 0)

            taken = await opened.plan(4, cache=50)
            assert taken.applied.outcome is StepOutcome.APPLIED
            strike(pids(first)["w-1"])
            look = await opened.until(lambda look: worker(look, "w-1").seen.restarts == 1)

            assert [(ended.worker, ended.reason) for ended in look.exits] == [("w-1", ExitReason.CRASHED)]
            assert names(look) == ["w-1", "w-2", "w-3", "w-4"]
            assert worker(look, "w-1").seen.cache == 50

    async def test_what_was_started_meanwhile_has_no_second_copy_after_a_crash(self, small_disk: Path) -> None:
        async with local_fleet(small_disk, group(*CHATTY, supervision=PATIENT)) as opened:
            first = await opened.ready(2)
            await come_true(lambda: shutil.disk_usage(small_disk).free == 0)
            strike(pids(first)["w-1"])
            unwritten = await opened.until(lambda look: worker(look, "w-1").seen.restarts == 1)
            await opened.kill_supervisor()
            for log in opened.place.logs.glob("w-*.log"):
                os.truncate(log, 0)

            look = await opened.until(lambda look: states(look) == [WorkerState.READY] * 2)

            assert pids(look)["w-2"] == pids(first)["w-2"]
            assert opened.running() == set(pids(look).values())
            assert pids(unwritten)["w-1"] in {*pids(look).values()} or not alive(pids(unwritten)["w-1"])

    async def test_a_log_that_can_t_be_copied_is_emptied_all_the_same(self, tmp_path: Path) -> None:
        (tmp_path / "w-1.log").write_bytes(b"a" * 200)
        (tmp_path / "w-1.log.1").mkdir()
        logs.tidy(tmp_path, {"w-1"}, limit_bytes=100)
        assert (tmp_path / "w-1.log").stat().st_size == 0

    async def test_a_state_that_can_t_be_written_is_said_once(self, tmp_path: Path) -> None:
        async with local_fleet(tmp_path, group(supervision=PATIENT)) as opened:
            first = await opened.ready(1)
            opened.place.state.with_suffix(".draft").mkdir()
            strike(pids(first)["w-1"])
            await opened.until(lambda look: worker(look, "w-1").seen.restarts == 1)
            await asyncio.sleep(1.0)
            said = (opened.place.logs / "supervisor.log").read_text()
            assert said.count("the state can't be written") == 1
            opened.place.state.with_suffix(".draft").rmdir()
            await come_true(lambda: load(opened.place.state).workers[0].starts == 2)


def dry(opened: LocalFleet) -> RecorderTarget:
    """The same group as a dry run sees it."""
    return RecorderTarget(LocalTarget({"orders": opened.group}, opened.state_directory, lives, ask_or_read))


class TestDryRun:
    async def test_a_target_that_never_ran_stays_as_it_is(self, tmp_path: Path) -> None:
        opened = LocalFleet(tmp_path / "state", group(), fleet())
        look = await dry(opened).look(opened.fleet)
        await dry(opened).step(opened.fleet, Plan(size=None, until=datetime.now(UTC)), opened.stamp())
        assert look.workers == ()
        assert (look.target.desired, look.target.memory_limit_bytes) == (0, 64 * 2**20)
        assert not (tmp_path / "state").exists()

    async def test_a_group_whose_supervisor_was_killed_is_read_and_left_alone(self, tmp_path: Path) -> None:
        async with local_fleet(tmp_path, group(supervision=PATIENT)) as opened:
            first = await opened.ready(2)
            await opened.kill_supervisor()
            strike(pids(first)["w-1"])
            await come_true(lambda: not alive(pids(first)["w-1"]))
            before = sorted(path.name for path in opened.place.directory.iterdir())

            look = await dry(opened).look(opened.fleet)

            assert [seen.seen.state for seen in look.workers] == [WorkerState.RESTARTING, WorkerState.READY]
            assert pids(look)["w-2"] == pids(first)["w-2"]
            assert (worker(look, "w-2").seen.memory_bytes or 0) > 0
            assert sorted(path.name for path in opened.place.directory.iterdir()) == before
            with pytest.raises(Exception, match="no supervisor answers"):
                await opened.answer()

    async def test_a_group_that_is_supervised_is_seen_as_its_controller_sees_it(self, tmp_path: Path) -> None:
        async with local_fleet(tmp_path, group()) as opened:
            live = await opened.ready(1)
            assert pids(await dry(opened).look(opened.fleet)) == pids(live)


class TestPlace:
    def test_a_link_is_not_followed(self, tmp_path: Path) -> None:
        victim = tmp_path / "victim"
        victim.mkdir(mode=0o755)
        (tmp_path / "state").mkdir()
        (tmp_path / "state" / "orders").symlink_to(victim)
        with pytest.raises(PermissionError, match="must be a directory, and no link to one"):
            Place(tmp_path / "state" / "orders").make()
        assert stat.S_IMODE(victim.stat().st_mode) == 0o755
        assert list(victim.iterdir()) == []

    def test_nor_is_one_inside(self, tmp_path: Path) -> None:
        (tmp_path / "orders").mkdir()
        (tmp_path / "orders" / "logs").symlink_to(tmp_path)
        with pytest.raises(PermissionError, match="logs must be a directory"):
            Place(tmp_path / "orders").make()

    def test_a_directory_of_somebody_else_is_not_taken_over(self, tmp_path: Path) -> None:
        directory, owner = Path("/usr"), 0
        if os.geteuid() == 0:  # who can give one away
            directory, owner = tmp_path / "orders", 12345
            directory.mkdir(mode=0o755)
            os.chown(directory, owner, owner)
        with pytest.raises(PermissionError, match=f"belongs to user {owner}, not to {os.geteuid()} "):
            Place(directory).make()
        assert stat.S_IMODE(directory.stat().st_mode) == 0o755

    async def test_whoever_asks_for_such_a_group_hears_why(self, tmp_path: Path) -> None:
        opened = LocalFleet(tmp_path / "state", group(), fleet())
        opened.place.directory.parent.mkdir()
        opened.place.directory.symlink_to(tmp_path)
        with pytest.raises(TargetUnreachable, match="must be a directory, and no link to one"):
            await opened.look()

    async def test_what_workers_write_is_for_their_user_alone(self, tmp_path: Path) -> None:
        async with local_fleet(tmp_path, group("sh", "-c", "echo hello; exec sleep 1000")) as opened:
            await opened.ready(1)
            assert stat.S_IMODE(opened.place.log("w-1").stat().st_mode) == 0o600


class TestRequest:
    async def asked(self, opened: LocalFleet, raw: bytes) -> str:
        reader, writer = await asyncio.open_unix_connection(opened.place.socket)
        writer.write(raw)
        writer.write_eof()
        detail: str = json.loads(await reader.read())["detail"]
        writer.close()
        return detail

    @pytest.mark.parametrize(
        "definition",
        [
            {"command": ["x"], "directory": "/", "environment": {"API_KEY": "sk-live-123", "N": None}},
            {"environment": {"API_KEY": "sk-live-123"}, "directory": "/"},
            {"command": "sk-live-123", "environment": {}, "directory": "/"},
        ],
        ids=["a value that is none", "no command", "a command that is none"],
    )
    async def test_a_refusal_never_tells_what_was_found(self, tmp_path: Path, definition: dict[str, object]) -> None:
        step = {"revision": 0, "wanted": {"definition": definition, "workers": 1}}
        async with local_fleet(tmp_path, group()) as opened:
            detail = await self.asked(opened, json.dumps({"operation": "step", "step": step}).encode())
        assert detail.startswith("the request can't be read: step.wanted.definition.")
        assert "sk-live" not in detail

    async def test_one_that_never_ends_is_refused(self, tmp_path: Path) -> None:
        async with local_fleet(tmp_path, group()) as opened:
            with suppress(ConnectionError):  # it leaves unread what can be no request
                assert "can't be read" in await self.asked(opened, b" " * 5 * 2**20)
            assert (await opened.plan(1)).applied.outcome is StepOutcome.APPLIED

    async def test_one_that_is_never_sent_does_not_stay_open(self, tmp_path: Path) -> None:
        async with local_fleet(tmp_path, group()) as opened:
            reader, writer = await asyncio.open_unix_connection(opened.place.socket)
            async with asyncio.timeout(15):
                assert await reader.read() == b""
            writer.close()


class TestByHand:
    async def test_whoever_wants_none_ends_a_surge_too(self, tmp_path: Path) -> None:
        async with local_fleet(tmp_path, group()) as opened:
            await opened.ready(2, cache=100)
            await opened.plan(2, cache=50, surge=2)
            command = (sys.executable, "-m", "activities.targets.supervisor", "scale", str(opened.place.directory), "0")
            hand = await asyncio.create_subprocess_exec(*command)
            assert await hand.wait() == 0
            await opened.until(lambda look: not look.workers)
            await asyncio.sleep(0.5)
            assert (await opened.look()).workers == ()


class TestRenamedHost:
    async def test_workers_keep_the_name_under_which_they_were_started(self, tmp_path: Path) -> None:
        """What they say of themselves was written before the machine got its present name."""
        async with local_fleet(tmp_path, group(supervision=PATIENT)) as opened:
            await opened.ready(1)
            await opened.kill_supervisor()
            state = json.loads(opened.place.state.read_text())
            assert state["workers"][0]["host_name"] == socket.gethostname()
            state["workers"][0]["host_name"] = "before"
            opened.place.state.write_text(json.dumps(state))
            [one] = (await opened.look()).workers
            assert one.hosts == {"before", socket.gethostname()}
