"""Plays one side of the replay against real workers, and measures it."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from examples.demo.incident.cpu_meter import CpuMeter
from examples.demo.incident.side import Side
from examples.demo.play import Piece, replayed
from examples.demo.recorder import Recorder, Watched


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who is watched, who sees it, and what is done to the workers meanwhile."""

    watched: Watched
    meter: CpuMeter
    shown: Callable[[Recorder], None]
    beside: Coroutine[Any, Any, None]


async def played(actor: Actor, piece: Piece) -> Side:
    """Play the piece; return when the last turn is answered."""
    recording = await replayed(actor.watched, piece, actor.shown, _metered(actor))
    return Side(recording=recording, cpu=actor.meter.readings, machine_cpu_share=actor.meter.machine_share)


async def _metered(actor: Actor) -> None:
    async with asyncio.TaskGroup() as together:
        together.create_task(actor.meter.run())
        together.create_task(actor.beside)
