"""Starts one worker under what is wanted now: its environment, its log, its memory limit."""

import hashlib
import os
import socket
from dataclasses import dataclass, replace

from activities.targets.supervisor.cgroup import MemoryCgroup
from activities.targets.supervisor.environment import base_environment
from activities.targets.supervisor.protocol import Place
from activities.targets.supervisor.session import Launch, WorkerSession
from activities.targets.supervisor.state import Moment, WorkerEntry
from activities.targets.supervisor.wanted import Wanted
from activities.targets.supervisor.worker import Worker


@dataclass(frozen=True, slots=True)
class Launched:
    """A worker that waits for its `go`, and its entry as it is to be written down before."""

    worker: Worker
    entry: WorkerEntry


def launch(place: Place, wanted: Wanted, entry: WorkerEntry, now: Moment) -> Launched:
    """Start the worker under the newest cache size and definition; OSError if that can't be done."""
    definition = wanted.definition
    ready = place.ready(entry.name)
    session = WorkerSession.begin(
        Launch(
            command=definition.command,
            directory=definition.directory,
            environment=_environment(wanted),
            log=place.log(entry.name),
        ),
        ready,
    )
    limit = definition.memory_limit_bytes
    cgroup = None
    if limit is not None and wanted.supervision.cgroups:
        cgroup = MemoryCgroup.confine(session.identity.pid, _cgroup_name(place, entry), limit)
    begun = replace(
        entry,
        cache=wanted.cache,
        version=definition.version,
        memory_limit_bytes=limit,
        process=session.identity,
        cgroup=str(cgroup.path) if cgroup is not None else None,
        host_name=socket.gethostname(),
        started_at=now,
        starts=entry.starts + 1,
    )
    return Launched(Worker(session, cgroup), begun)


def _environment(wanted: Wanted) -> dict[str, str]:
    """Nothing of the controller's own but what every program needs: its credentials are not the workers'."""
    environment = base_environment(os.environ) | dict(wanted.definition.environment)
    if wanted.definition.cache_variable is not None and wanted.cache is not None:
        environment[wanted.definition.cache_variable] = str(wanted.cache)
    return environment


def _cgroup_name(place: Place, entry: WorkerEntry) -> str:
    group = hashlib.sha256(os.fsencode(place.directory)).hexdigest()[:12]
    return f"temporal-scaler-{group}-{entry.name}-{entry.starts}"
