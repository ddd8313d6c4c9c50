"""The local target carries plans out as levels, under its record, for groups that the configuration lists."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from activities.targets.contract import TargetUnreachable
from activities.targets.local import LocalTarget
from activities.targets.supervisor.client import ask
from activities.targets.supervisor.protocol import Operation, Outcome, Request, Step
from activities.targets.supervisor.wanted import Supervision
from scaler.model.common import Generation, Owner, Quality, Size
from scaler.model.observation import WorkerState
from scaler.model.plan import Plan
from scaler.model.record import StepOutcome
from tests.support.local_fleet import (
    LIMIT_BYTES,
    ON_WORD,
    QUICK,
    STUBBORN,
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
    worker,
)

ANOTHER = Owner("default", "worker-scaler/invoices")
STAYS = group(*STUBBORN, supervision=ON_WORD)


@pytest.fixture
async def sleepers(tmp_path: Path) -> AsyncIterator[LocalFleet]:
    async with local_fleet(tmp_path, group()) as opened:
        yield opened


class TestCheck:
    async def test_a_fleet_that_fits_the_configuration_has_no_problem(self, tmp_path: Path) -> None:
        target = LocalTarget({"orders": group()}, tmp_path, lives)
        assert await target.check(fleet(memory={"limit": "32Mi"})) == ()

    @pytest.mark.parametrize(
        ("declared", "configured", "path", "words"),
        [
            ({"target": {"kind": "local", "name": "other"}}, {}, ("target", "name"), "(orders), found 'other'"),
            ({}, {"memory_limit_bytes": None}, ("memory", "limit"), "is required"),
            ({"memory": {"limit": "65Mi"}}, {}, ("memory", "limit"), "must be at most 64 MiB"),
            ({}, {"command": ()}, ("target", "name"), "has no command"),
            ({}, {"command": ("no-such-program",)}, ("target", "name"), "can't be executed: no-such-program"),
            ({}, {"command": ("./etc/passwd",)}, ("target", "name"), "can't be executed: ./etc/passwd"),
            ({}, {"directory": Path("/no/such")}, ("target", "name"), "does not exist: /no/such"),
            ({"cache": {"delivery": "file", "path": "/x"}}, {}, ("cache", "delivery"), "environment or fixed"),
        ],
        ids=[
            "unknown target",
            "no memory limit anywhere",
            "limit above the group's",
            "no command",
            "command not on PATH",
            "command not executable",
            "no directory",
            "delivery by file",
        ],
    )
    async def test_it_says_what_does_not_fit(
        self, tmp_path: Path, declared: dict[str, Any], configured: dict[str, Any], path: Any, words: str
    ) -> None:
        target = LocalTarget({"orders": replace(group(), **configured)}, tmp_path, lives)
        [problem] = await target.check(fleet(**declared))
        assert problem.path == path
        assert words in problem.message

    async def test_a_command_with_a_slash_is_found_from_the_groups_directory(self, tmp_path: Path) -> None:
        (tmp_path / "worker").write_text("#!/bin/sh\n")
        (tmp_path / "worker").chmod(0o755)
        target = LocalTarget({"orders": group("./worker", directory=tmp_path)}, tmp_path, lives)
        assert await target.check(fleet()) == ()


class TestNotAllowed:
    async def test_a_group_that_is_not_listed_is_refused_before_anything_is_started(self, tmp_path: Path) -> None:
        opened = LocalFleet(tmp_path, group(), fleet(target={"kind": "local", "name": "../secrets"}))

        taken = await opened.plan(3)

        assert taken.applied.outcome is StepOutcome.NOT_ALLOWED
        assert taken.found is None
        with pytest.raises(TargetUnreachable, match="controller's configuration"):
            await opened.look()
        assert not opened.place.directory.parent.joinpath("orders").exists()
        assert not opened.place.directory.exists()

    async def test_a_group_name_never_leads_out_of_the_state_directory(self, tmp_path: Path) -> None:
        for name in ("..", ".", "a/b", "../x"):
            target = LocalTarget({name: group()}, tmp_path, lives)
            named = target.directory(fleet(target={"kind": "local", "name": name}))
            assert named.parent == tmp_path
            assert named.resolve() == named


class TestFirstLook:
    async def test_a_look_claims_the_group_and_starts_no_worker(self, sleepers: LocalFleet) -> None:
        answer = await sleepers.answer()
        assert answer.record is not None
        assert answer.record.owner == sleepers.owner
        assert answer.look.workers == ()

    async def test_it_tells_what_a_worker_would_be_before_there_was_a_plan(self, sleepers: LocalFleet) -> None:
        target = (await sleepers.look()).target
        assert (target.desired, target.memory_limit_bytes, target.quality) == (0, LIMIT_BYTES, Quality.FRESH)
        await sleepers.plan(1)
        assert (await sleepers.look()).target.version == target.version != ""

    async def test_only_a_look_claims(self, tmp_path: Path) -> None:
        opened = LocalFleet(tmp_path, group(), fleet())
        try:
            taken = await opened.plan(2)
            assert taken.applied.outcome is StepOutcome.REFUSED_OWNER
            assert (await opened.look()).workers == ()
        finally:
            await opened.end()


class TestLevels:
    async def test_workers_start_under_the_plans_cache_size(self, tmp_path: Path) -> None:
        tells = group("sh", "-c", "env; exec sleep 1000", environment={"QUEUE": "orders"})
        async with local_fleet(tmp_path, tells, fleet(cache={"variable": "CACHED"})) as opened:
            look = await opened.ready(2, cache=123)

            assert [seen.seen.cache for seen in look.workers] == [123, 123]
            assert (look.target.desired, look.target.cache) == (2, 123)
            told = opened.place.log("w-1").read_text().splitlines()
            assert {"CACHED=123", "QUEUE=orders"} <= set(told)

    async def test_a_fleet_that_opted_out_gets_no_cache_size(self, tmp_path: Path) -> None:
        tells = group("sh", "-c", "env; exec sleep 1000")
        async with local_fleet(tmp_path, tells, fleet(cache={"delivery": "fixed"})) as opened:
            look = await opened.ready(1, cache=None)

            assert look.workers[0].seen.cache is None
            assert "TEMPORAL_MAX_CACHED_WORKFLOWS" not in opened.place.log("w-1").read_text()

    async def test_workers_don_t_inherit_the_controllers_credentials(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("TEMPORAL_API_KEY", "secret")
        async with local_fleet(tmp_path, group("sh", "-c", "env; exec sleep 1000")) as opened:
            await opened.ready(1)

            told = opened.place.log("w-1").read_text()
            assert "PATH=" in told
            assert "secret" not in told
            assert "secret" not in (await opened.supervisor()).environ().values()

    async def test_a_plan_that_is_carried_out_twice_is_carried_out_once(self, sleepers: LocalFleet) -> None:
        first = await sleepers.ready(3)
        generation = sleepers.generation
        record = (await sleepers.answer()).record

        taken = await sleepers.plan(3)

        assert taken.applied.outcome is StepOutcome.APPLIED
        assert taken.found == taken.applied.record == record
        assert record is not None
        assert record.generation == Generation(1.0, generation)
        assert pids(await sleepers.look()) == pids(first)

    async def test_a_retry_of_a_replacement_replaces_nobody_twice(self, sleepers: LocalFleet) -> None:
        await sleepers.ready(2)
        plan = Plan(size=Size(2, 50), until=datetime.now(UTC), replace=("w-1",))
        stamp = sleepers.stamp()
        await sleepers.target.step(sleepers.fleet, plan, stamp)
        await sleepers.target.step(sleepers.fleet, plan, stamp)
        look = await sleepers.until(lambda look: states(look) == [WorkerState.READY] * 2)
        assert names(look) == ["w-2", "w-3"]

    async def test_victims_go_first_and_in_their_order(self, sleepers: LocalFleet) -> None:
        await sleepers.ready(4)
        await sleepers.plan(2, victims=("w-2", "w-1", "w-3"))
        look = await sleepers.until(lambda look: len(look.workers) == 2)
        assert names(look) == ["w-3", "w-4"]

    async def test_where_victims_do_not_suffice_the_youngest_go(self, sleepers: LocalFleet) -> None:
        await sleepers.ready(4)
        await sleepers.plan(2, victims=("w-1", "gone"))
        look = await sleepers.until(lambda look: len(look.workers) == 2)
        assert names(look) == ["w-2", "w-3"]

    async def test_victims_stay_where_there_are_not_too_many(self, sleepers: LocalFleet) -> None:
        first = await sleepers.ready(2)
        await sleepers.plan(2, victims=("w-1", "w-2"))
        assert pids(await sleepers.look()) == pids(first)

    async def test_a_replacement_keeps_the_count_and_gives_the_new_cache(self, tmp_path: Path) -> None:
        async with local_fleet(tmp_path, STAYS, fleet(behaviour={"drain": "2s"})) as opened:
            await opened.ready(3, cache=100)

            await opened.plan(3, cache=50, replace=("w-1", "w-3"))

            look = await opened.look()
            assert names(look) == ["w-2", "w-4", "w-5"]
            assert states(look).count(WorkerState.DRAINING) == 2
            assert [worker(look, name).seen.cache for name in names(look)] == [100, 50, 50]
            await opened.until(lambda look: len(look.workers) == 3)

    async def test_a_surge_comes_beside_the_old_ones_and_is_not_desired(self, sleepers: LocalFleet) -> None:
        await sleepers.ready(2, cache=100)
        await sleepers.plan(2, cache=50, surge=1)
        look = await sleepers.look()
        assert names(look) == ["w-1", "w-2", "w-3"]
        assert [seen.seen.cache for seen in look.workers] == [100, 100, 50]
        assert look.target.desired == 2

    async def test_a_draining_worker_counts_no_more(self, tmp_path: Path) -> None:
        async with local_fleet(tmp_path, STAYS, fleet(behaviour={"drain": "60s"})) as opened:
            await opened.ready(2)
            await opened.plan(1)
            await opened.plan(2)
            look = await opened.look()
            assert names(look) == ["w-1", "w-3"]
            assert worker(look, "w-2").seen.state is WorkerState.DRAINING

    async def test_a_changed_definition_is_for_new_workers(self, sleepers: LocalFleet) -> None:
        first = await sleepers.ready(1)
        sleepers.group = group("sleep", "2000")
        look = await sleepers.ready(2)
        assert worker(look, "w-1").process_id == worker(first, "w-1").process_id
        assert worker(look, "w-1").seen.version == first.target.version
        assert worker(look, "w-2").seen.version == look.target.version != first.target.version

    async def test_the_version_does_not_change_with_the_cache(self, sleepers: LocalFleet) -> None:
        first = await sleepers.ready(1, cache=100)
        assert (await sleepers.ready(1, cache=50)).target.version == first.target.version


class TestRecord:
    async def test_a_plan_from_before_the_record_is_refused(self, sleepers: LocalFleet) -> None:
        stale = sleepers.stamp()
        await sleepers.ready(1)
        plan = Plan(size=Size(5, 100), until=datetime.now(UTC))
        taken = await sleepers.target.step(sleepers.fleet, plan, stale)
        assert taken.applied.outcome is StepOutcome.REFUSED_GENERATION
        assert taken.found is not None
        assert len((await sleepers.look()).workers) == 1

    async def test_another_living_owner_keeps_the_group(self, sleepers: LocalFleet) -> None:
        other = LocalFleet(sleepers.state_directory, sleepers.group, fleet(name="invoices"), ANOTHER)
        taken = await other.claim()
        assert taken.applied.outcome is StepOutcome.REFUSED_OWNER
        assert taken.applied.detail == "the group belongs to worker-scaler/orders in namespace default"

    async def test_a_closed_owner_leaves_the_group_and_its_workers(self, sleepers: LocalFleet) -> None:
        first = await sleepers.ready(2)

        async def closed(_: Owner) -> bool:
            return False

        target = LocalTarget({"orders": sleepers.group}, sleepers.state_directory, closed)
        other = LocalFleet(sleepers.state_directory, sleepers.group, fleet(name="invoices"), ANOTHER)
        look = Plan(size=None, until=datetime.now(UTC))
        taken = await target.step(other.fleet, look, other.stamp())
        assert taken.applied.outcome is StepOutcome.LOOKED
        assert taken.applied.record is not None
        assert taken.applied.record.owner == ANOTHER
        assert pids(await sleepers.look()) == pids(first)

    async def test_who_writes_in_between_wins(self, sleepers: LocalFleet) -> None:
        """Two find the owner closed; the second one claims between the look and the write of the first."""
        second = LocalFleet(sleepers.state_directory, sleepers.group, fleet(), Owner("default", "worker-scaler/second"))
        look = Plan(size=None, until=datetime.now(UTC))

        async def closed(_: Owner) -> bool:
            return False

        async def overtaken(owner: Owner) -> bool:
            if owner == second.owner:
                return True
            target = LocalTarget({"orders": second.group}, second.state_directory, closed)
            taken = await target.step(second.fleet, look, second.stamp())
            assert taken.applied.outcome is StepOutcome.LOOKED
            return False

        first = LocalTarget({"orders": sleepers.group}, sleepers.state_directory, overtaken)
        taken = await first.step(sleepers.fleet, look, replace(sleepers.stamp(), owner=ANOTHER))

        assert taken.applied.outcome is StepOutcome.REFUSED_OWNER
        record = (await sleepers.answer()).record
        assert record == taken.applied.record
        assert record is not None
        assert record.owner == second.owner


class TestAnotherHand:
    async def scale(self, opened: LocalFleet, workers: int) -> None:
        module, directory = "activities.targets.supervisor", str(opened.place.directory)
        hand = await asyncio.create_subprocess_exec(sys.executable, "-m", module, "scale", directory, str(workers))
        assert await hand.wait() == 0

    async def test_it_is_obeyed_and_the_record_left_alone(self, sleepers: LocalFleet) -> None:
        await sleepers.ready(1)
        record = (await sleepers.answer()).record
        await self.scale(sleepers, 3)
        look = await sleepers.until(lambda look: states(look) == [WorkerState.READY] * 3)
        assert look.target.desired == 3
        assert (await sleepers.answer()).record == record

    async def test_a_plan_does_not_overwrite_it(self, sleepers: LocalFleet) -> None:
        await sleepers.ready(1)
        await self.scale(sleepers, 3)
        taken = await sleepers.plan(1)
        assert taken.applied.outcome is StepOutcome.REFUSED_HAND
        assert taken.applied.detail == "somebody else set the group to 3 workers"
        assert (await sleepers.look()).target.desired == 3

    async def test_a_plan_that_adopts_it_is_applied(self, sleepers: LocalFleet) -> None:
        first = await sleepers.ready(1)
        await self.scale(sleepers, 2)
        look = await sleepers.ready(2)
        assert pids(first).items() <= pids(look).items()
        assert len((await sleepers.ready(1)).workers) == 1

    async def test_a_step_that_has_not_seen_it_is_refused(self, sleepers: LocalFleet) -> None:
        await sleepers.ready(1)
        seen = await sleepers.answer()
        await self.scale(sleepers, 2)
        step = Request(operation=Operation.STEP, step=Step(revision=seen.revision, record=seen.record))
        assert (await ask(sleepers.place, step)).outcome is Outcome.CONFLICT

    async def test_it_can_t_start_what_no_plan_described(self, sleepers: LocalFleet) -> None:
        answer = await ask(sleepers.place, Request(operation=Operation.SCALE, workers=2))
        assert (answer.outcome, answer.detail) == (Outcome.REFUSED, "no plan has said yet what a worker is")


class TestWorkers:
    async def test_their_output_goes_where_the_target_says(self, tmp_path: Path) -> None:
        async with local_fleet(tmp_path, group("sh", "-c", "echo hello; echo oops >&2; exec sleep 1000")) as opened:
            await opened.ready(1)
            log = opened.target.log_directory(opened.fleet) / "w-1.log"
            await come_true(lambda: log.read_text() == "hello\noops\n")
            assert "w-1 starts" in (log.parent / "supervisor.log").read_text()

    async def test_one_that_says_so_is_ready_before_its_time(self, tmp_path: Path) -> None:
        go = tmp_path / "go"
        waits = f"until test -e {go}; do sleep 0.05; done; : > $TEMPORAL_SCALER_READY_FILE; exec sleep 1000"
        async with local_fleet(tmp_path, group("sh", "-c", waits, supervision=ON_WORD)) as opened:
            await opened.plan(1)
            assert states(await opened.look()) == [WorkerState.STARTING]
            go.touch()
            await opened.until(lambda look: states(look) == [WorkerState.READY])

    async def test_one_that_says_so_late_is_not_ready_before(self, tmp_path: Path) -> None:
        """Nobody configured anything: three seconds is what an interpreter and its packages may take."""
        says = "sleep 3; : > $TEMPORAL_SCALER_READY_FILE; exec sleep 1000"
        async with local_fleet(tmp_path, group("sh", "-c", says, supervision=Supervision())) as opened:
            await opened.plan(1)
            await asyncio.sleep(2.5)
            assert states(await opened.look()) == [WorkerState.STARTING]
            look = await opened.until(lambda look: states(look) == [WorkerState.READY])
            assert look.workers[0].seen.started_in_seconds == pytest.approx(3.0, abs=0.9)

    async def test_once_one_says_so_all_are_ready_by_their_word_alone(self, tmp_path: Path) -> None:
        """The time is for workers that never make the file; the first of them shows what they are."""
        says = f'test -e {tmp_path}/slow && sleep 1000; : > "$TEMPORAL_SCALER_READY_FILE"; exec sleep 1000'
        async with local_fleet(tmp_path, group("sh", "-c", says, supervision=QUICK)) as opened:
            await opened.ready(1)
            (tmp_path / "slow").touch()
            await opened.plan(2)
            await opened.kill_supervisor()
            await asyncio.sleep(1.0)
            assert states(await opened.look()) == [WorkerState.READY, WorkerState.STARTING]

    async def test_those_that_never_say_so_are_ready_after_the_time_that_is_configured(self, tmp_path: Path) -> None:
        waits = Supervision(ready_after_seconds=1.5)
        async with local_fleet(tmp_path, group(supervision=waits)) as opened:
            await opened.plan(1)
            assert states(await opened.look()) == [WorkerState.STARTING]
            look = await opened.until(lambda look: states(look) == [WorkerState.READY])
            assert look.workers[0].seen.age_seconds == pytest.approx(1.5, abs=0.9)
            assert look.workers[0].seen.started_in_seconds is None

    async def test_their_names_are_never_used_again(self, sleepers: LocalFleet) -> None:
        await sleepers.ready(2)
        await sleepers.plan(0)
        await sleepers.until(lambda look: not look.workers)
        assert names(await sleepers.ready(1)) == ["w-3"]

    async def test_a_worker_that_forks_is_one_worker_with_all_its_processes(self, tmp_path: Path) -> None:
        forks = python("import os, time; os.fork(); os.fork(); print(os.getpid(), flush=True); time.sleep(1000)")
        async with local_fleet(tmp_path, group(*forks)) as opened:
            await opened.plan(1)
            look = await opened.until(lambda look: len(look.workers[0].process_ids) == 4)
            [one] = look.workers
            log = opened.place.log("w-1")
            await come_true(lambda: len(log.read_text().split()) == 4)
            assert set(one.process_ids) == set(map(int, log.read_text().split()))
            assert one.process_id in one.process_ids

    async def test_memory_counts_what_a_worker_has_started(self, tmp_path: Path) -> None:
        full = python("import os, time; os.fork(); text = b'x' * (25 << 20); time.sleep(1000)")
        async with local_fleet(tmp_path, group(*full)) as opened:
            await opened.plan(1)
            look = await opened.until(lambda look: (look.workers[0].seen.memory_bytes or 0) > 40 * 2**20)
            seen = look.workers[0].seen
            assert seen.memory_peak_bytes is not None
            assert seen.memory_peak_bytes >= (seen.memory_bytes or 0)
            assert seen.memory_age_seconds is not None
            assert seen.memory_age_seconds < 1.0

    async def test_a_long_state_directory_is_no_obstacle(self, tmp_path: Path) -> None:
        async with local_fleet(tmp_path / ("long" * 30), group()) as opened:
            assert len(os.fsencode(opened.place.socket)) > 108
            look = await opened.ready(1)
            assert alive(look.workers[0].process_id)

    async def test_other_users_can_t_reach_the_supervisor(self, sleepers: LocalFleet) -> None:
        assert sleepers.place.directory.stat().st_mode & 0o077 == 0
        assert sleepers.place.state.stat().st_mode & 0o077 == 0


async def test_a_pause_that_meets_its_own_late_orphan_is_confirmed(tmp_path: Path) -> None:
    """Both read before either writes, at a real supervisor, again and again."""
    async with local_fleet(tmp_path, group("sleep", "1000"), fleet()) as opened:
        await opened.plan(1)
        outcomes = []
        for number in range(10):
            size = Plan(size=Size(1 + number % 2, 100), until=datetime.now(UTC))
            look = Plan(size=None, until=datetime.now(UTC))
            _, paused = await asyncio.gather(
                opened.target.step(opened.fleet, size, opened.stamp()),
                opened.target.step(opened.fleet, look, opened.stamp(fence=True)),
            )
            outcomes.append(paused.applied.outcome)

    assert set(outcomes) == {StepOutcome.LOOKED}
