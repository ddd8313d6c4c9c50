"""How workers end and come back: drained, killed, crashed, out of memory; and what is told of it."""

import asyncio
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from activities.targets.contract import TargetLook
from activities.targets.supervisor.cgroup import MemoryCgroup, parents
from activities.targets.supervisor.protocol import Enforcement
from activities.targets.supervisor.wanted import Supervision
from scaler.model.observation import ExitReason, WorkerState
from tests.support.local_fleet import (
    LIMIT_BYTES,
    ON_WORD,
    PATIENT,
    SAYS_READY,
    STUBBORN,
    alive,
    come_true,
    fleet,
    group,
    local_fleet,
    pids,
    python,
    states,
    strike,
    worker,
)

FINISHES = python(
    f"{SAYS_READY}going = []; signal.signal(signal.SIGTERM, lambda *_: going.append(1)); ready()\n"
    "while not going: time.sleep(0.02)\n"
    "time.sleep(1); print('finished', flush=True)"
)
HUNGRY = "import time; text = []\nwhile True: text.append(b'x' * (2 << 20)); time.sleep(0.02)"


def reasons(look: TargetLook) -> list[ExitReason]:
    return [ended.reason for ended in look.exits]


def has_ended(look: TargetLook) -> bool:
    return bool(look.exits)


class TestDrain:
    async def test_a_worker_that_ends_in_time_was_drained(self, tmp_path: Path) -> None:
        async with local_fleet(tmp_path, group(*FINISHES, supervision=ON_WORD)) as opened:
            await opened.ready(1, cache=77)
            await opened.plan(0, cache=77)
            look = await opened.until(lambda look: not look.workers)
            [ended] = look.exits
            assert (ended.worker, ended.reason, ended.cache) == ("w-1", ExitReason.DRAINED, 77)
            assert ended.memory_bytes is not None
            assert ended.memory_bytes > 2**20
            assert opened.place.log("w-1").read_text() == "finished\n"

    async def test_a_worker_that_does_not_end_is_killed_when_its_time_is_over(self, tmp_path: Path) -> None:
        stubborn = group(*STUBBORN, supervision=ON_WORD)
        async with local_fleet(tmp_path, stubborn, fleet(behaviour={"drain": "2s"})) as opened:
            first = await opened.ready(1)
            await opened.plan(0)
            assert states(await opened.look()) == [WorkerState.DRAINING]
            assert alive(pids(first)["w-1"])
            look = await opened.until(lambda look: not look.workers)
            assert reasons(look) == [ExitReason.KILLED]
            assert not alive(pids(first)["w-1"])

    async def test_the_work_behind_a_wrapper_has_the_same_grace(self, tmp_path: Path) -> None:
        """A shell that does not `exec` dies of the signal at once; what it had started is asked, not killed."""
        script = tmp_path / "finishes.py"
        script.write_text(FINISHES[-1])
        wrapped = group("sh", "-c", f"{FINISHES[0]} -I -S {script}; true", supervision=ON_WORD)
        async with local_fleet(tmp_path, wrapped) as opened:
            await opened.ready(1)
            await opened.plan(0)
            look = await opened.until(lambda look: not look.workers)
            assert reasons(look) == [ExitReason.DRAINED]
            assert opened.place.log("w-1").read_text() == "finished\n"

    async def test_a_signal_is_sent_once_and_to_the_first_process_alone(self, tmp_path: Path) -> None:
        """Its children may be in the middle of an activity; a second signal would make many programs drop theirs."""
        script = tmp_path / "counts.sh"
        script.write_text(
            "trap 'echo child' TERM; (trap 'echo child' TERM; sleep 1.5) &\n"
            'trap "echo first" TERM; : > "$TEMPORAL_SCALER_READY_FILE"; wait; wait; wait\n'
        )
        async with local_fleet(tmp_path, group("sh", str(script), supervision=ON_WORD)) as opened:
            await opened.ready(1)
            await opened.plan(0)
            await opened.plan(0)
            await opened.until(lambda look: not look.workers)
            assert opened.place.log("w-1").read_text() == "first\n"


class TestCrash:
    async def test_a_crashed_worker_is_started_again_at_once_under_its_name(self, tmp_path: Path) -> None:
        async with local_fleet(tmp_path, group(supervision=PATIENT)) as opened:
            first = await opened.ready(2)
            strike(pids(first)["w-1"])
            look = await opened.until(lambda look: worker(look, "w-1").seen.restarts == 1)
            assert reasons(look) == [ExitReason.CRASHED]
            assert look.exits[0].cache == 100
            assert pids(look)["w-1"] != pids(first)["w-1"]
            assert pids(look)["w-2"] == pids(first)["w-2"]

    async def test_the_second_crash_waits_for_its_back_off(self, tmp_path: Path) -> None:
        async with local_fleet(tmp_path, group("false", supervision=PATIENT)) as opened:
            await opened.plan(1)
            look = await opened.until(lambda look: len(look.exits) == 2)
            assert states(look) == [WorkerState.RESTARTING]
            assert look.workers[0].seen.restarts == 1
            assert reasons(look) == [ExitReason.CRASHED] * 2

    async def test_restarts_go_on_with_the_back_off(self, tmp_path: Path) -> None:
        async with local_fleet(tmp_path, group("false")) as opened:
            await opened.plan(1)
            look = await opened.until(lambda look: look.workers[0].seen.restarts >= 4)
            assert len(look.workers) == 1

    async def test_a_restarted_worker_has_the_newest_cache(self, tmp_path: Path) -> None:
        async with local_fleet(tmp_path, group()) as opened:
            first = await opened.ready(1, cache=100)
            await opened.plan(1, cache=40)
            assert (await opened.look()).workers[0].seen.cache == 100
            strike(pids(first)["w-1"])
            look = await opened.until(lambda look: worker(look, "w-1").seen.restarts == 1)
            assert look.workers[0].seen.cache == 40

    async def test_a_worker_that_waits_is_replaced_without_a_wait(self, tmp_path: Path) -> None:
        flag = tmp_path / "flag"
        fails = group("sh", "-c", f"test -e {flag} && exec sleep 1000", supervision=PATIENT)
        async with local_fleet(tmp_path, fails) as opened:
            await opened.plan(1)
            await opened.until(lambda look: states(look) == [WorkerState.RESTARTING] and len(look.exits) == 2)
            flag.touch()
            look = await opened.ready(1, replace=("w-1",))
            assert list(pids(look)) == ["w-2"]

    async def test_what_a_crashed_worker_left_behind_ends_before_it_starts_again(self, tmp_path: Path) -> None:
        leaves = group("sh", "-c", "sleep 1000 & echo $!; wait")
        async with local_fleet(tmp_path, leaves) as opened:
            first = await opened.ready(1)
            log = opened.place.log("w-1")
            left = int(log.read_text())
            strike(pids(first)["w-1"])
            await opened.until(lambda look: worker(look, "w-1").seen.restarts == 1)
            assert not alive(left)

    async def test_a_worker_that_can_t_be_started_is_told_and_tried_again(self, tmp_path: Path) -> None:
        home = tmp_path / "home"
        home.mkdir()
        async with local_fleet(tmp_path / "state", group(directory=home)) as opened:
            await opened.ready(1)
            home.rmdir()
            await opened.plan(2)
            look = await opened.until(lambda look: len(look.exits) >= 2)
            assert set(reasons(look)) == {ExitReason.CRASHED}
            assert worker(look, "w-1").seen.state is WorkerState.READY
            assert "w-2 can't be started" in (opened.place.logs / "supervisor.log").read_text()
            home.mkdir()
            await opened.until(lambda look: states(look) == [WorkerState.READY] * 2)


@pytest.fixture(scope="module")
def cgroups() -> None:
    """Skips where this machine lets no memory cgroup be made."""
    with subprocess.Popen(["sleep", "1000"]) as one:
        cgroup = MemoryCgroup.confine(one.pid, "temporal-scaler-probe", LIMIT_BYTES)
        one.kill()
    if cgroup is None:
        pytest.skip("no memory cgroup can be made here")
    assert cgroup.remove()


@pytest.fixture(params=[Enforcement.CGROUP, Enforcement.WATCHDOG])
def enforced(request: pytest.FixtureRequest) -> tuple[Enforcement, Supervision]:
    enforcement: Enforcement = request.param
    if enforcement is Enforcement.CGROUP:
        request.getfixturevalue("cgroups")
    return enforcement, replace(PATIENT, cgroups=enforcement is Enforcement.CGROUP)


class TestMemoryLimit:
    async def test_a_worker_over_its_limit_is_oom_killed(
        self, tmp_path: Path, enforced: tuple[Enforcement, Supervision]
    ) -> None:
        enforcement, supervision = enforced
        async with local_fleet(tmp_path, group(*python(HUNGRY), supervision=supervision)) as opened:
            await opened.plan(1, cache=500)
            assert (await opened.answer()).enforcement == {"w-1": enforcement}
            look = await opened.until(has_ended)
            ended = look.exits[0]
            assert (ended.worker, ended.reason, ended.cache) == ("w-1", ExitReason.OOM_KILLED, 500)
            assert ended.memory_bytes is not None
            assert ended.memory_bytes >= LIMIT_BYTES
            assert f"enforced by {enforcement}" in (opened.place.logs / "supervisor.log").read_text()

    async def test_a_child_over_the_limit_takes_its_worker_along(
        self, tmp_path: Path, enforced: tuple[Enforcement, Supervision]
    ) -> None:
        script = tmp_path / "hungry.py"
        script.write_text(HUNGRY)
        wrapped = group("sh", "-c", f"{python('')[0]} -I -S {script} & sleep 1000", supervision=enforced[1])
        async with local_fleet(tmp_path, wrapped) as opened:
            await opened.plan(1)
            assert reasons(await opened.until(has_ended))[0] is ExitReason.OOM_KILLED

    async def test_it_is_oom_killed_while_it_drains_too(
        self, tmp_path: Path, enforced: tuple[Enforcement, Supervision]
    ) -> None:
        waits = f"{SAYS_READY}signal.signal(signal.SIGTERM, lambda *_: go.append(1)); go = []; ready()\n"
        eats = python(waits + "while not go: time.sleep(0.02)\n" + HUNGRY)
        supervision = replace(enforced[1], ready_after_seconds=1000.0)
        async with local_fleet(tmp_path, group(*eats, supervision=supervision)) as opened:
            await opened.ready(1)
            await opened.plan(0)
            look = await opened.until(lambda look: not look.workers)
            assert reasons(look) == [ExitReason.OOM_KILLED]

    async def test_memory_is_what_the_limit_is_held_against(
        self, tmp_path: Path, enforced: tuple[Enforcement, Supervision]
    ) -> None:
        """The kernel counts a page that two processes share once; whoever adds up resident memory counts it twice.

        A file that was read once is given back before anybody is killed: its pages are in the cgroup's use, but
        inactive.
        """
        shares = python(
            "import os, time; text = b'x' * (24 << 20)\n"
            "if os.fork():\n"
            "    with open('file', 'rb') as file:\n"
            "        while file.read(1 << 16): pass\n"
            "time.sleep(1000)"
        )
        (tmp_path / "file").write_bytes(b"y" * (24 << 20))
        os.sync()
        with (tmp_path / "file").open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        enforcement, supervision = enforced
        sharing = group(*shares, directory=tmp_path, supervision=supervision)
        async with local_fleet(tmp_path / "state", sharing) as opened:
            await opened.plan(1)
            await opened.until(lambda look: len(look.workers[0].process_ids) == 2)
            await asyncio.sleep(1.5)
            seen = (await opened.look()).workers[0].seen
            assert seen.memory_bytes is not None
            least, most = (24, 40) if enforcement is Enforcement.CGROUP else (50, 64)
            assert least * 2**20 < seen.memory_bytes < most * 2**20

    @pytest.mark.usefixtures("cgroups")
    async def test_a_limit_below_the_groups_is_the_fleets(self, tmp_path: Path) -> None:
        async with local_fleet(tmp_path, group(), fleet(memory={"limit": "32Mi"})) as opened:
            assert (await opened.ready(1)).target.memory_limit_bytes == 32 * 2**20

    @pytest.mark.usefixtures("cgroups")
    async def test_cgroups_are_removed_with_their_workers(self, tmp_path: Path) -> None:
        async with local_fleet(tmp_path, group()) as opened:
            first = await opened.ready(2)
            running = set(pids(first).values())
            there = [path for parent in parents() for path in parent.glob("temporal-scaler-*")]
            made = [path for path in there if running & set(MemoryCgroup(path).pids())]
            assert len(made) == 2
            assert {pid for path in made for pid in MemoryCgroup(path).pids()} == running
            await opened.plan(0)
            await opened.until(lambda look: not look.workers)
            await come_true(lambda: not any(path.exists() for path in made))
