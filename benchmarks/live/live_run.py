"""One run from an empty server to its figures. Whatever happens, all that it started is ended by its process id."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, suppress
from datetime import timedelta
from typing import Final

from activities.targets.supervisor.ending import end_group
from benchmarks.live.controller import controller
from benchmarks.live.failure import RunFailed
from benchmarks.live.figures import PATIENCE_SECONDS, Figures, Run, figures
from benchmarks.live.histories import first_decision, read_waits
from benchmarks.live.options import Options
from benchmarks.live.server import LiveServer, live_server
from benchmarks.live.shape import shape_seconds
from benchmarks.live.site import NAME, Site
from benchmarks.live.talk import Said, agent, turns
from benchmarks.live.watch import Watch
from benchmarks.live.workers import start_workers
from examples.agents.load import Load, Replay
from examples.demo.waits import runs
from workflows.messages import TASK_QUEUE

WORKERS_AT_FIRST: Final = 2
READING_SECONDS: Final = 180.0

Say = Callable[[str], None]


def planned_load(options: Options) -> tuple[Load, Sequence[Said]]:
    """Everything that will be said, known before anything is started."""
    load = Load(
        name=NAME,
        seed=options.seed,
        agent=agent(options.state_kib, options.growth_kib),
        task_queue=NAME,
        patience=timedelta(seconds=shape_seconds(options.phases) + 2 * PATIENCE_SECONDS),
        context_spread=options.spread,
    )
    said = tuple(turns(options.phases, load))
    if not said:
        raise RunFailed(f"no turn arrives in the shape {options.shape} with seed {options.seed}")
    return load, said


async def measured(options: Options, site: Site, say: Say) -> Figures:
    """Run the load against a fleet of its own."""
    load, planned = planned_load(options)
    async with AsyncExitStack() as ends:
        ends.callback(site.forget_database)
        server = await ends.enter_async_context(live_server(site.server))
        site.declare(options, server.address)
        ends.push_async_callback(end_group, site.place)
        workers = options.fixed or WORKERS_AT_FIRST
        await start_workers(site, workers)
        if options.fixed is None:
            await ends.enter_async_context(controller(site, server.address))
        say(f"Workers that poll: {workers}; {len(planned)} turns in {shape_seconds(options.phases):g} s")
        run = await _run(options, server, Replay(server.client, load), planned, site)
    return figures(run)


async def _run(options: Options, server: LiveServer, replay: Replay, planned: Sequence[Said], site: Site) -> Run:
    watch = Watch(site.place)
    watching = asyncio.create_task(watch.run())
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(shape_seconds(options.phases) + PATIENCE_SECONDS):
                await replay.run(said.arrival for said in planned)
    finally:
        watching.cancel()
    with suppress(asyncio.CancelledError):
        await watching
    async with asyncio.timeout(READING_SECONDS):
        conversations = {replay.load.workflow_id(said.arrival.conversation) for said in planned}
        waits = await read_waits(server.client, conversations, watch.began_at)
        fleet = await runs(server.client, f"{TASK_QUEUE}/{NAME}")
    run = Run(
        phases=options.phases,
        planned=planned,
        tally=replay.tally,
        waits=waits,
        watched=watch.seen,
        began_at=watch.began_at,
        decided_at=first_decision(fleet),
    )
    site.keep(run.record(), fleet)
    return run
