"""The parts of the supervisor that need no process: who goes and comes, how long to wait, what is kept."""

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.targets.supervisor import levels, logs
from activities.targets.supervisor.cgroup import MemoryCgroup, mounted
from activities.targets.supervisor.memory import MemoryTrack
from activities.targets.supervisor.protocol import Place, Step
from activities.targets.supervisor.session import ProcessIdentity
from activities.targets.supervisor.sight import Sight
from activities.targets.supervisor.state import EXITS_KEPT, SupervisorState, WorkerEntry, load, save
from activities.targets.supervisor.wanted import BackOff, Definition, Wanted
from scaler.model.observation import ExitReason, WorkerExit

SLEEP = Definition(command=("sleep", "1000"), directory="/", environment={})
NOW = 1000.0


def entry(number: int, *, runs: bool = True, draining: bool = False) -> WorkerEntry:
    process = ProcessIdentity(100 + number, 1.0) if runs else None
    return WorkerEntry(number=number, process=process, started_at=NOW - 5.0, drain_until=NOW if draining else None)


def levelled(workers: list[WorkerEntry], keep: int, step: Step) -> SupervisorState:
    found = SupervisorState(
        wanted=Wanted(definition=SLEEP, workers=keep), workers=tuple(workers), next_number=len(workers) + 1
    )
    return levels.levelled(found, step, NOW)


def counting(state: SupervisorState) -> list[WorkerEntry]:
    return [each for each in state.workers if not each.draining]


entries = st.lists(st.tuples(st.booleans(), st.booleans()), max_size=8).map(
    lambda drawn: [
        entry(number, runs=runs or draining, draining=draining) for number, (runs, draining) in enumerate(drawn, 1)
    ]
)
some_names = st.lists(st.integers(1, 10).map("w-{}".format), max_size=10, unique=True).map(tuple)


class TestLevels:
    @given(entries, st.integers(0, 10), some_names, some_names)
    def test_the_count_is_always_what_is_wanted(
        self, workers: list[WorkerEntry], keep: int, replaced: tuple[str, ...], victims: tuple[str, ...]
    ) -> None:
        state = levelled(workers, keep, Step(revision=0, replace=replaced, victims=victims))
        assert len(counting(state)) == keep
        assert not {each.name for each in counting(state)} & {
            each.name for each in workers if each.name in replaced or each.draining
        }
        assert len({each.number for each in state.workers}) == len(state.workers)

    @given(entries, st.integers(0, 10), some_names, some_names)
    def test_twice_is_once(
        self, workers: list[WorkerEntry], keep: int, replaced: tuple[str, ...], victims: tuple[str, ...]
    ) -> None:
        step = Step(revision=0, replace=replaced, victims=victims)
        # A replacement names workers that are there; one that only comes by it has a name that nobody had seen.
        known = {each.name for each in workers}
        step = replace(step, replace=tuple(name for name in step.replace if name in known))
        once = levelled(workers, keep, step)
        assert levels.levelled(once, step, NOW) == once

    def test_who_waits_for_a_restart_goes_before_the_youngest(self) -> None:
        state = levelled([entry(1), entry(2, runs=False), entry(3)], 2, Step(revision=0))
        assert [each.name for each in state.workers] == ["w-1", "w-3"]

    def test_a_drain_is_not_prolonged_by_the_next_step(self) -> None:
        state = levelled([entry(1, draining=True)], 0, Step(revision=0, replace=("w-1",)))
        assert state.workers[0].drain_until == NOW


class TestBackOff:
    @pytest.mark.parametrize(("crashes", "seconds"), [(1, 0), (2, 10), (3, 20), (4, 40), (6, 160), (7, 300), (99, 300)])
    def test_it_waits_as_long_as_the_kubelet(self, crashes: int, seconds: float) -> None:
        assert BackOff().delay_seconds(crashes) == seconds

    @pytest.mark.parametrize(("ran_seconds", "crashes"), [(599.0, 6), (600.0, 1)])
    def test_a_long_run_makes_the_next_crash_the_first(self, ran_seconds: float, crashes: int) -> None:
        crashed = replace(entry(1), crashes=5, started_at=NOW - ran_seconds)
        found = SupervisorState(wanted=Wanted(definition=SLEEP, workers=1), workers=(crashed,))
        [due] = levels.after_end(found, crashed, ended(NOW), NOW).workers
        assert due.crashes == crashes
        assert due.start_at == NOW + BackOff().delay_seconds(crashes)
        assert due.process is None


def ended(seconds: float) -> WorkerExit:
    return WorkerExit(worker="w-1", reason=ExitReason.CRASHED, at=datetime.fromtimestamp(seconds, UTC))


class TestExits:
    def test_the_newest_are_kept(self) -> None:
        state = SupervisorState()
        for second in range(EXITS_KEPT + 10):
            state = state.with_exit(ended(second))
        assert state.exits == tuple(ended(second) for second in range(10, EXITS_KEPT + 10))

    def test_they_are_told_for_ten_minutes(self, tmp_path: Path) -> None:
        now = datetime.now(UTC)
        old, new = (replace(ended(0), at=now - timedelta(minutes=minutes)) for minutes in (11, 9))
        state = SupervisorState(exits=(old, new))
        assert Sight(Place(tmp_path), state, {}, NOW).look().exits == (new,)


class TestState:
    def test_it_is_read_as_it_was_written(self, tmp_path: Path) -> None:
        state = SupervisorState(
            boot="b", wanted=Wanted(definition=SLEEP, workers=1), workers=(entry(1),), exits=(ended(5),)
        )
        save(tmp_path / "state.json", state)
        assert load(tmp_path / "state.json") == state
        assert [path.name for path in tmp_path.iterdir()] == ["state.json"]

    def test_a_draft_that_was_never_finished_is_no_state(self, tmp_path: Path) -> None:
        save(tmp_path / "state.json", SupervisorState(next_number=7))
        (tmp_path / "state.draft").write_text("{")
        assert load(tmp_path / "state.json").next_number == 7


class TestMemoryTrack:
    def test_the_peak_is_of_the_last_minute_whoever_reads_it(self) -> None:
        track = MemoryTrack()
        track.add(0.0, 500)
        track.add(30.0, 100)
        assert (track.peak_bytes, track.peak_bytes, track.newest_bytes) == (500, 500, 100)
        track.add(61.0, 200)
        assert (track.peak_bytes, track.age_seconds(61.5)) == (200, 0.5)


class TestLogs:
    def test_one_that_grew_too_large_keeps_its_end_beside_it_while_it_is_written(self, tmp_path: Path) -> None:
        log = tmp_path / "w-1.log"
        with log.open("ab", buffering=0) as writer:
            writer.write(b"a" * 100 + b"b" * 50)
            logs.tidy(tmp_path, {"w-1"}, limit_bytes=100)
            writer.write(b"c")
        assert log.read_bytes() == b"c"
        assert (tmp_path / "w-1.log.1").read_bytes() == b"a" * 50 + b"b" * 50

    def test_of_workers_that_are_gone_the_newest_are_kept(self, tmp_path: Path) -> None:
        for number in range(1, logs.ENDED_LOGS_KEPT + 4):
            (tmp_path / f"w-{number}.log").touch()
            os.utime(tmp_path / f"w-{number}.log", (number, number))
        (tmp_path / "w-2.log.1").touch()
        (tmp_path / "supervisor.log").touch()
        logs.tidy(tmp_path, {"w-1"})
        left = {path.name for path in tmp_path.iterdir()}
        assert {"w-1.log", "w-4.log", "supervisor.log"} <= left
        assert not {"w-2.log", "w-2.log.1", "w-3.log"} & left


class TestCgroup:
    @pytest.mark.parametrize(
        ("mount", "kind", "own", "expected"),
        [
            ("35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory", "cgroup", "/a/b", "memory/a/b"),
            (
                "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate",
                "cgroup2",
                "/user.slice/x",
                "user.slice/x",
            ),
            ("9 8 0:2 /docker/1 /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory", "cgroup", "/docker/1", "memory"),
            ("30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw", "cgroup2", "/", "."),
        ],
        ids=["version 1", "version 2", "version 1 in a container", "version 2 in a container"],
    )
    def test_our_own_is_found_below_its_mount(self, mount: str, kind: str, own: str, expected: str) -> None:
        others = "36 31 0:33 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu"
        assert list(mounted([others, mount], kind, own)) == [Path("/sys/fs/cgroup") / expected]

    @pytest.mark.parametrize(
        ("files", "used"),
        [
            ({"memory.max": "9", "memory.current": "700\n", "memory.stat": "anon 5\ninactive_file 200\n"}, 500),
            (
                {
                    "memory.limit_in_bytes": "9",
                    "memory.usage_in_bytes": "700\n",
                    "memory.stat": "inactive_file 1\ntotal_inactive_file 300\n",
                },
                400,
            ),
            ({"memory.max": "9", "memory.current": "100", "memory.stat": "inactive_file 200\n"}, 0),
            ({"memory.max": "9", "memory.current": "700"}, None),
            ({}, None),
        ],
        ids=["version 2", "version 1 with what is below it", "read at two moments", "half gone", "removed"],
    )
    def test_its_use_is_told_without_what_would_be_given_back(
        self, tmp_path: Path, files: dict[str, str], used: int | None
    ) -> None:
        for name, text in files.items():
            (tmp_path / name).write_text(text)
        assert MemoryCgroup(tmp_path).used_bytes() == used

    @pytest.mark.parametrize(
        ("files", "kills"),
        [
            ({"memory.max": "1", "memory.events": "low 0\noom 3\noom_kill 2\n"}, 2),
            ({"memory.limit_in_bytes": "1", "memory.oom_control": "under_oom 0\noom_kill 1\n"}, 1),
            ({"memory.max": "1", "memory.events": "oom_kill 0\n"}, 0),
            ({}, 0),
        ],
        ids=["version 2", "version 1", "none yet", "removed"],
    )
    def test_kills_are_counted_in_both_versions(self, tmp_path: Path, files: dict[str, str], kills: int) -> None:
        for name, text in files.items():
            (tmp_path / name).write_text(text)
        assert MemoryCgroup(tmp_path).oom_kills() == kills
