"""Workers that never come up are told with how they ended, and a definition that does not come up is taken back."""

from dataclasses import replace
from pathlib import Path

import pytest

from activities.targets.contract import TargetLook
from activities.targets.supervisor.last_words import last_line, shown
from scaler.model.observation import ExitReason, FailingSeen, WorkerState
from tests.support.local_fleet import (
    ON_WORD,
    PATIENT,
    QUICK,
    alive,
    group,
    local_fleet,
    names,
    pids,
    python,
    states,
    strike,
    worker,
)

SAYS = ("sh", "-c", ': > "$TEMPORAL_SCALER_READY_FILE"; exec sleep 1000')
FAILS = ("sh", "-c", "echo connecting; printf '\\033[31mno server at 127.0.0.1:1\\033[0m\\n\\n' >&2; exit 7")


SLOW = replace(ON_WORD, back_off=PATIENT.back_off)
"""Nobody waits for its back-off in a test."""


def failing(look: TargetLook) -> FailingSeen:
    assert look.target.failing is not None
    return look.target.failing


def fails(look: TargetLook) -> bool:
    return look.target.failing is not None


class TestNeverReady:
    async def test_it_is_told_how_they_end_and_where_to_look(self, tmp_path: Path) -> None:
        async with local_fleet(tmp_path, group(*FAILS, supervision=ON_WORD)) as opened:
            await opened.plan(1)
            look = await opened.until(lambda look: fails(look) and failing(look).starts >= 2)
            told = failing(look)
            assert (told.worker, told.status, told.ever_ready) == ("w-1", 7, False)
            assert told.last_line == "no server at 127.0.0.1:1"
            assert told.log == str(opened.place.log("w-1"))
            assert told.version == look.target.version != ""
            assert {ended.reason for ended in look.exits} == {ExitReason.CRASHED}

    async def test_one_crash_is_none(self, tmp_path: Path) -> None:
        once = f"test -e {tmp_path}/second && exec sleep 1000; touch {tmp_path}/second; exit 1"
        async with local_fleet(tmp_path / "state", group("sh", "-c", once, supervision=QUICK)) as opened:
            await opened.plan(1)
            look = await opened.until(lambda look: states(look) == [WorkerState.READY])
            assert look.target.failing is None
            assert len(look.exits) == 1

    async def test_a_program_that_is_not_there_is_named(self, tmp_path: Path) -> None:
        async with local_fleet(tmp_path, group("no-such-worker", supervision=ON_WORD)) as opened:
            await opened.plan(1)
            told = failing(await opened.until(fails))
            assert told.status == 127
            assert "no-such-worker: not found" in told.last_line

    async def test_it_outlives_the_supervisor(self, tmp_path: Path) -> None:
        async with local_fleet(tmp_path, group(*FAILS, supervision=SLOW)) as opened:
            await opened.plan(1)
            told = failing(await opened.until(fails))
            await opened.kill_supervisor()
            assert failing(await opened.look()) == told

    async def test_workers_that_served_before_are_crashing_until_they_are_back(self, tmp_path: Path) -> None:
        flag = tmp_path / "broken"
        breaks = ("sh", "-c", f"test -e {flag} && echo broken && exit 3; exec sleep 1000")
        async with local_fleet(tmp_path / "state", group(*breaks, supervision=QUICK)) as opened:
            first = await opened.ready(2)
            flag.touch()
            strike(pids(first)["w-1"])
            told = failing(await opened.until(fails))
            assert (told.worker, told.status, told.last_line, told.ever_ready) == ("w-1", 3, "broken", True)
            flag.unlink()
            await opened.until(lambda look: states(look) == [WorkerState.READY] * 2 and not fails(look))

    async def test_one_that_is_killed_tells_the_signal(self, tmp_path: Path) -> None:
        kills = python("import os; os.kill(os.getpid(), 11)")
        async with local_fleet(tmp_path, group(*kills, supervision=ON_WORD)) as opened:
            await opened.plan(1)
            assert failing(await opened.until(fails)).status == -11


class TestNewDefinition:
    async def test_a_repaired_one_is_started_at_once(self, tmp_path: Path) -> None:
        """The wait of a worker that crashed again and again is for what crashed."""
        async with local_fleet(tmp_path, group(*FAILS, supervision=SLOW)) as opened:
            await opened.plan(1)
            await opened.until(lambda look: fails(look) and states(look) == [WorkerState.RESTARTING])
            opened.group = group(*SAYS, supervision=SLOW)
            look = await opened.ready(1)
            assert names(look) == ["w-1"]
            assert look.target.failing is None

    async def test_one_that_does_not_come_up_leaves_the_one_before_serving(self, tmp_path: Path) -> None:
        async with local_fleet(tmp_path, group(*SAYS, supervision=ON_WORD)) as opened:
            first = await opened.ready(2)
            opened.group = group(*FAILS, supervision=ON_WORD)
            await opened.plan(2, surge=1)

            look = await opened.until(lambda look: fails(look) and states(look) == [WorkerState.READY] * 3)

            told = failing(look)
            assert (told.worker, told.status, told.ever_ready) == ("w-3", 7, False)
            assert look.target.version == first.target.version != told.version
            assert {each.seen.version for each in look.workers} == {first.target.version}
            assert pids(first).items() <= pids(look).items()

    async def test_a_worker_that_crashes_then_is_started_as_what_served(self, tmp_path: Path) -> None:
        async with local_fleet(tmp_path, group(*SAYS, supervision=SLOW)) as opened:
            first = await opened.ready(1)
            opened.group = group(*FAILS, supervision=opened.group.supervision)
            await opened.plan(1, surge=1)
            await opened.until(fails)
            strike(pids(first)["w-1"])
            look = await opened.until(lambda look: worker(look, "w-1").seen.restarts == 1)
            look = await opened.until(lambda look: worker(look, "w-1").seen.state is WorkerState.READY)
            assert worker(look, "w-1").seen.version == first.target.version
            assert alive(pids(look)["w-1"])

    async def test_the_next_one_is_tried(self, tmp_path: Path) -> None:
        async with local_fleet(tmp_path, group(*SAYS, supervision=ON_WORD)) as opened:
            first = await opened.ready(1)
            opened.group = group(*FAILS, supervision=ON_WORD)
            await opened.plan(1, surge=1)
            await opened.until(fails)
            opened.group = group(*SAYS, environment={"RELEASE": "3"}, supervision=ON_WORD)
            await opened.plan(1, surge=1)
            look = await opened.look()
            assert look.target.failing is None
            assert look.target.version != first.target.version


class TestLastWords:
    @pytest.mark.parametrize(
        ("written", "told"),
        [
            (b"one\ntwo\n\n  \n", "two"),
            (b"progress 1%\rprogress 2%\r", "progress 2%"),
            (b"\x1b[1;31merror\x1b[0m: bad\x07 \x00thing\n", "error: bad thing"),
            (b"caf\xe9 \xe2\x80\xaereversed\n", "caf� reversed"),
            (b"x" * 5000 + b"\n", "x" * 199 + "…"),
            (b"password hunter2-hunter2 refused at db:5432\n", "password *** refused at db:5432"),
            (b"\n\n", ""),
            (b"", ""),
        ],
        ids=[
            "blank lines",
            "progress",
            "colours and bells",
            "odd bytes",
            "endless",
            "a secret",
            "only blank",
            "nothing",
        ],
    )
    def test_it_is_one_line_that_can_be_shown(self, tmp_path: Path, written: bytes, told: str) -> None:
        log = tmp_path / "w-1.log"
        log.write_bytes(written)
        assert last_line(log, {"DB_PASSWORD": "hunter2-hunter2", "ADDRESS": "db:5432"}) == told

    def test_a_log_that_is_gone_says_nothing(self, tmp_path: Path) -> None:
        assert last_line(tmp_path / "none", {}) == ""

    def test_a_secret_that_is_empty_hides_nothing(self) -> None:
        assert shown("as it is", {"API_KEY": ""}) == "as it is"
