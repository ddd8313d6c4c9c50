"""The CPU that workers and the machine use, measured of the real processes."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import psutil

from activities.targets.supervisor.client import NoSupervisor, ask
from activities.targets.supervisor.protocol import Operation, Place, Request
from examples.demo.incident.cpu_rule import CpuReading
from scaler.model.observation import WorkerState

READ_SECONDS = 0.5

_CGROUP_V2 = Path("/sys/fs/cgroup")


class CpuMeter:
    """Reads what the workers of one place use, and what the whole machine does, again and again.

    Args:
        place: Where their supervisor is reached.
        vcpu: What one worker is promised, where its cgroup has no quota.

    """

    def __init__(self, place: Place, vcpu: float) -> None:
        self.readings: list[CpuReading] = []
        self.machine_share = 0.0  # of its CPU, by anybody, since the first reading
        self._place = place
        self._vcpu = vcpu
        self._known: dict[psutil.Process, float] = {}
        self._began = self._read_at = 0.0

    async def run(self) -> NoReturn:
        """Read until cancelled."""
        machine = MachineMeter()
        self._began = self._read_at = asyncio.get_running_loop().time()
        while True:
            await self.read()
            self.machine_share = machine.share()
            await asyncio.sleep(READ_SECONDS)

    async def read(self) -> None:
        """Read once; a process that ended since the reading before takes its last half second with it."""
        try:
            look = (await ask(self._place, Request(operation=Operation.LOOK))).look
        except NoSupervisor:
            return
        counting = [worker for worker in look.workers if worker.seen.state is not WorkerState.DRAINING]
        alive = [worker.process_id for worker in look.workers if worker.process_id is not None]
        now = asyncio.get_running_loop().time()
        used = self._used(worker.process_id for worker in counting if worker.process_id is not None)
        self.readings.append(
            CpuReading(
                at_seconds=now - self._began,
                seconds=now - self._read_at,
                instances=len(counting),
                vcpu_seconds=used,
                processes=len(alive),
            )
        )
        self._read_at = now

    def _used(self, process_ids: Iterable[int]) -> float:
        used, known = 0.0, {}
        for process_id in process_ids:
            with suppress(psutil.Error):
                process = psutil.Process(process_id)
                times = process.cpu_times()
                known[process] = times.user + times.system
                used += (known[process] - self._known.get(process, 0.0)) / (quota(process_id) or self._vcpu)
        self._known = known
        return used


def quota(process_id: int) -> float | None:
    """The vCPUs that a worker's own cgroup allows it; None where it has none of its own, or no quota."""
    with suppress(OSError, ValueError):
        own, ours = (_cgroup(Path(f"/proc/{who}/cgroup").read_text()) for who in (process_id, "self"))
        if own is not None and own != ours:
            allowed, period = (_CGROUP_V2 / own / "cpu.max").read_text().split()
            return int(allowed) / int(period)
    return None


def _cgroup(memberships: str) -> str | None:
    """The path of the version 2 line."""
    paths = (line.removeprefix("0::/") for line in memberships.splitlines() if line.startswith("0::/"))
    return next(paths, None)


class MachineMeter:
    """What part of the machine's CPU was used since this was made, by anybody but programs that give way (`nice`)."""

    def __init__(self) -> None:
        self._began = psutil.cpu_times()

    def share(self) -> float:
        """0 to 1; 0 where no time has passed."""
        now = psutil.cpu_times()
        passed = sum(now) - sum(self._began)
        idle = _idle(now) - _idle(self._began)
        return 1 - idle / passed if passed > 0 else 0.0


def _idle(times: object) -> float:
    """Seconds that were to be had; not every system tells all three."""
    return sum(float(getattr(times, kind, 0.0)) for kind in ("idle", "iowait", "nice"))
