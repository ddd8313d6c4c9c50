"""A real group of worker processes and a real server: what a look at both tells that neither knows alone."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from temporalio.client import Client

from activities.joining import Joined
from activities.queue_slots import WorkerTold
from activities.recollection import Recollection, Sighting
from activities.reconcile import Reconciler
from activities.requests import Reconcile
from activities.sources.gate import Gate
from activities.sources.heartbeats import Heartbeat
from activities.sources.signals import ConnectionSignals, SignalSource
from activities.targets.contract import TargetLook, TargetWorker
from activities.targets.local import LocalGroup
from scaler.fleet import TargetKind
from scaler.model.common import Quality
from scaler.model.observation import ExitReason, Observation, TargetSeen, WorkerExit, WorkerSeen, WorkerState
from scaler.model.plan import Plan
from tests.support.local_fleet import ON_WORD, LocalFleet, fleet, group, local_fleet, pids, strike
from tests.support.looks import CountedBudget, new_queue, seen_once
from tests.support.small_worker import Talk, connected, working

ROOT = Path(__file__).parents[2]
SMALL_BYTES = 220 * 2**20


def small_workers(client: Client, queue: str) -> LocalGroup:
    """Processes of the small worker on this queue, which may not take much memory."""
    where = (client.service_client.config.target_host, client.namespace, queue)
    command = (sys.executable, "-m", "tests.support.small_worker", *where)
    return group(*command, directory=ROOT, memory_limit_bytes=SMALL_BYTES, supervision=ON_WORD)


class Eye:
    """A controller that only looks."""

    def __init__(self, opened: LocalFleet, client: Client) -> None:
        connection = ConnectionSignals(client, Gate(CountedBudget()))
        targets = {TargetKind.LOCAL: opened.target}
        self._reconciler = Reconciler(targets, SignalSource({None: connection}))
        self._opened = opened

    async def look(self) -> Observation:
        """One short tick."""
        plan = Plan(size=None, until=datetime.now(UTC))
        return await self._reconciler.reconcile(
            Reconcile(fleet=self._opened.fleet, plan=plan, stamp=self._opened.stamp())
        )


@asynccontextmanager
async def watched(path: Path, client: Client, queue: str) -> AsyncIterator[tuple[LocalFleet, Eye]]:
    """A group of such workers and a controller that looks at it."""
    declared = fleet(task_queues=[{"name": queue}], memory={"limit": "220Mi"})
    async with local_fleet(path, small_workers(client, queue), declared) as opened:
        yield opened, Eye(opened, client)


async def test_a_killed_worker_is_told_with_what_it_had_cached_and_is_no_stranger(
    temporal_client: Client, tmp_path: Path
) -> None:
    queue, address = new_queue("seen"), temporal_client.service_client.config.target_host
    another = await connected(address, temporal_client.namespace, identity="another")
    async with watched(tmp_path, temporal_client, queue) as (opened, eye):
        await opened.plan(1)
        talks = [
            await temporal_client.start_workflow(Talk.run, 9, id=f"{queue}-{number}", task_queue=queue)
            for number in range(5)
        ]
        alone = await seen_once(eye.look, lambda seen: bool(seen.workers and seen.workers[0].cached == 5), seconds=40)
        async with working(another, queue), working(another, new_queue("elsewhere")):
            beside = await seen_once(eye.look, lambda seen: bool(seen.strangers))
            strike(pids(await opened.look())["w-1"])
            after = await seen_once(eye.look, lambda seen: bool(seen.exits))
            back = await seen_once(eye.look, lambda seen: seen.workers[0].heartbeat_age_seconds is not None, seconds=40)
        for talk in talks:
            await talk.terminate()

    (worker,) = alone.workers
    assert worker.started_in_seconds is not None
    assert 0.2 < worker.started_in_seconds < worker.age_seconds
    assert (alone.strangers, alone.exits) == ((), ())
    assert beside.strangers == ("another",)
    (ended,) = after.exits
    assert (ended.worker, ended.reason, ended.cached) == ("w-1", ExitReason.CRASHED, 5)
    assert after.strangers == ("another",)
    assert back.exits == after.exits  # what is known once stays known
    assert back.strangers == ("another",)


async def test_a_workflow_that_kills_one_worker_after_another_is_named(temporal_client: Client, tmp_path: Path) -> None:
    queue = new_queue("greed")
    async with watched(tmp_path, temporal_client, queue) as (opened, eye):
        await opened.plan(1)
        await seen_once(
            eye.look, lambda seen: bool(seen.workers and seen.workers[0].heartbeat_age_seconds is not None), 40
        )
        greedy = await temporal_client.start_workflow(
            "Greed", id=f"{queue}-greedy", task_queue=queue, task_timeout=timedelta(seconds=1)
        )
        innocent = await temporal_client.start_workflow(
            Talk.run, 9, id=f"{queue}-innocent", task_queue=queue, task_timeout=timedelta(seconds=1)
        )
        seen = await seen_once(eye.look, lambda seen: bool(seen.suspects), seconds=90)
        await greedy.terminate()
        await innocent.terminate()

    assert seen.suspects == (f"{queue}-greedy",)
    assert sum(ended.reason is ExitReason.OOM_KILLED for ended in seen.exits) >= 4
    assert seen.faults == ()


NOW = datetime(2026, 1, 1, tzinfo=UTC)


def sighting(seconds: float, *workers: WorkerSeen, **changes: object) -> Sighting:
    """A look at some workers on this host, after so many seconds."""
    target = TargetSeen(at=NOW, quality=Quality.FRESH)
    places = tuple(TargetWorker(seen=each, host_name="host", process_id=100 * (each.restarts + 1)) for each in workers)
    plain = Sighting(
        look=TargetLook(target=target, workers=places),
        joined=Joined(tuple(WorkerTold(each, ()) for each in workers), frozenset(), ()),
        pollers={},
        now=NOW + timedelta(seconds=seconds),
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def worker(cached: int | None, restarts: int = 0, age: float | None = 0.0) -> WorkerSeen:
    """One that beat so many seconds ago; or has not."""
    return WorkerSeen(name="w-1", state=WorkerState.READY, restarts=restarts, cached=cached, heartbeat_age_seconds=age)


def ended(seconds: float) -> WorkerExit:
    """The end of one of its processes."""
    return WorkerExit(worker="w-1", reason=ExitReason.OOM_KILLED, at=NOW + timedelta(seconds=seconds))


def test_each_end_is_told_with_the_last_word_of_its_own_process() -> None:
    exits = (ended(12), ended(40), ended(70))
    recollection = Recollection()
    for look in (
        sighting(0, worker(300)),
        sighting(10, worker(500)),
        sighting(30, worker(80, restarts=1)),
        sighting(50, worker(None, restarts=2, age=None)),  # it died before it said anything
        sighting(80, worker(7, restarts=3)),
    ):
        recollection = recollection.after(look)

    assert [each.cached for each in recollection.exits(exits)] == [500, 80, None]


def test_a_controller_that_has_just_begun_knows_of_no_end_what_was_cached() -> None:
    recollection = Recollection().after(sighting(100, worker(50, restarts=1)))

    assert [each.cached for each in recollection.exits((ended(90),))] == [None]


def test_a_silent_poller_is_named_once_it_polls_again() -> None:
    """Servers name dead pollers for minutes; only the living give another sign."""
    polled = [{"1@other": NOW}, {"1@other": NOW}, {"1@other": NOW + timedelta(seconds=60)}]
    recollection, named = Recollection(), []
    for seconds, pollers in zip((10, 40, 70), polled, strict=True):
        look = sighting(seconds, worker(1), pollers={**pollers, "100@host": NOW})
        recollection = recollection.after(look)
        named.append(recollection.strangers(look))

    assert named == [(), (), ("1@other",)]


def test_workers_of_the_past_are_no_strangers() -> None:
    recollection = Recollection().after(sighting(0, worker(1), pollers={"100@host": NOW}))
    for seconds in (20, 40):
        polls = {"100@host": NOW + timedelta(seconds=seconds), "100@host@queue": NOW + timedelta(seconds=seconds)}
        look = sighting(seconds, worker(1, restarts=1), pollers=polls)
        recollection = recollection.after(look)

    assert recollection.strangers(look) == ()


def test_where_an_own_worker_polls_under_an_unknown_name_nobody_is_accused() -> None:
    recollection, look = Recollection(), sighting(0)
    for seconds in (0, 60):
        polls = {"any name": NOW + timedelta(seconds=seconds)}
        look = sighting(seconds, worker(None, age=None), pollers=polls)
        recollection = recollection.after(look)

    assert recollection.strangers(look) == ()


def test_while_the_target_is_silent_its_workers_are_not_called_strangers() -> None:
    recollection, look = Recollection(), sighting(0)
    for seconds in (0, 60):
        silence = TargetLook(target=TargetSeen())
        look = sighting(seconds, look=silence, pollers={"100@host": NOW + timedelta(seconds=seconds)})
        recollection = recollection.after(look)

    assert recollection.strangers(look) == ()


def beat(identity: str, seconds: float) -> Heartbeat:
    """Of a worker that beats every ten seconds and belongs to nobody."""
    return Heartbeat(
        instance_key=identity, identity=identity, host_name="other", process_id=1, queue="q",
        at=NOW + timedelta(seconds=seconds), started_at=NOW, interval_seconds=10.0,
        workflow=None, activity=None, cached=None,
    )  # fmt: skip


def test_a_stranger_that_left_is_named_no_more() -> None:
    recollection, named = Recollection(), []
    for seconds, beat_at in ((0, 0), (10, 10), (30, 10)):
        joined = Joined((WorkerTold(worker(1), ()),), frozenset({"own"}), (beat("other", beat_at),))
        look = sighting(seconds, worker(1), joined=joined, pollers={"own": NOW, "other": NOW})
        recollection = recollection.after(look)
        named.append(recollection.strangers(look))

    assert named == [(), ("other",), ()]
