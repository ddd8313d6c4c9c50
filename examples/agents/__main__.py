"""Talks to the agents for a while, then says how long they took to answer: `python -m examples.agents --help`."""

import argparse
import json
import secrets
import sys

from temporalio.client import Client

from examples.agents import program
from examples.agents.arrivals import Phase, Users, arrivals
from examples.agents.connection import connection_settings
from examples.agents.load import Load, Replay
from examples.agents.messages import Agent


async def talk(phase: Phase, task_queue: str, seed: int) -> None:
    """Replay one phase and print what became of it, as one JSON object."""
    client = await Client.connect(**connection_settings())
    load = Load(name=f"talk-{secrets.token_hex(3)}", seed=seed, agent=Agent(), task_queue=task_queue)
    replay = Replay(client, load)
    try:
        await replay.run(arrivals([phase], Users(), seed))
    finally:
        tally = replay.tally
        report = {
            "arrived": tally.arrived,
            "completed": tally.completed,
            "failed": tally.failed,
            "latency_p50_seconds": tally.latency_seconds(50),
            "latency_p95_seconds": tally.latency_seconds(95),
            "faults": sorted(set(tally.faults())),
        }
        sys.stdout.write(f"{json.dumps(report)}\n")


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(prog="python -m examples.agents", description=__doc__)
    arguments.add_argument("--seconds", type=float, default=60)
    arguments.add_argument("--turns-per-second", type=float, default=1)
    arguments.add_argument("--ramp-to", type=float, help="turns per second at the end; default: the same")
    arguments.add_argument("--task-queue", default="agents")
    arguments.add_argument("--seed", type=int, default=1)
    given = arguments.parse_args()
    program.run(talk(Phase("talk", given.seconds, given.turns_per_second, given.ramp_to), given.task_queue, given.seed))
