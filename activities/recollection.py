"""What a controller remembers of a fleet's workers from one look to the next. Pure, but for the shelf that holds it.

A restarted controller remembers nothing: what it did not see is unknown then, not zero, and accuses nobody.
"""

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from activities.joining import Joined
from activities.memory_tracks import MemoryTracks
from activities.targets.contract import TargetLook, TargetWorker
from scaler.model.common import Owner, Quality
from scaler.model.observation import WorkerExit, WorkerSeen, WorkerState

REMEMBERED = timedelta(minutes=15)
"""Targets tell each end of a worker for ten minutes, and servers name dead pollers for five."""

ALIVE_BEATS = 1.5
"""A worker that has not beaten for so many of its intervals may have left just now."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """The workers of a fleet at one moment, and everybody who polls its queues."""

    look: TargetLook
    joined: Joined
    pollers: Mapping[str, datetime]  # identities, and when they last began to poll
    now: datetime


@dataclass(frozen=True, slots=True)
class LastWord:
    """What a worker's process said last."""

    at: datetime
    restarts: int  # which of its processes
    cached: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Recollection:
    """What was seen of one fleet until now."""

    words: Mapping[str, tuple[LastWord, ...]] = field(default_factory=dict)  # by worker, oldest first
    own: Mapping[str, datetime] = field(default_factory=dict)  # places of its workers, and when they were last there
    first_signs: Mapping[str, datetime] = field(default_factory=dict)  # of life, by identities that are not its own
    memory: MemoryTracks = field(default_factory=MemoryTracks)
    at: datetime | None = None

    def after(self, sighting: Sighting) -> "Recollection":
        """With one more look."""
        oldest = sighting.now - REMEMBERED
        own = {place: at for place, at in self.own.items() if at > oldest}
        own |= dict.fromkeys(_own_places(sighting), sighting.now)
        signs = {identity: at for identity, at in self.first_signs.items() if identity in sighting.pollers}
        unknown = _unknown(sighting, own)
        words = {
            name: tuple(word for word in said if word.at > oldest)
            for name, said in self.words.items()
            if said[-1].at > oldest
        }
        for worker in sighting.joined.workers:
            if (word := _word(worker, sighting.now)) is not None:
                before = tuple(said for said in words.get(worker.name, ()) if said.at > oldest)
                kept = before[:-1] if before and before[-1].restarts == word.restarts else before
                words[worker.name] = (*kept, word)
        memory = self.memory.after(sighting.joined.workers, sighting.now)
        return Recollection(words=words, own=own, first_signs=unknown | signs, memory=memory, at=sighting.now)

    def workers(self, sighting: Sighting) -> tuple[WorkerSeen, ...]:
        """The workers of a look, each with what it used when it sent its newest heartbeat."""
        return self.memory.at_beats(sighting.joined.workers, sighting.now)

    def exits(self, exits: Sequence[WorkerExit]) -> tuple[WorkerExit, ...]:
        """Ends of workers, with what each had cached when it last said so."""
        return tuple(ended if ended.cached is not None else self._filled(ended, exits) for ended in exits)

    def _filled(self, ended: WorkerExit, exits: Sequence[WorkerExit]) -> WorkerExit:
        """What was said before the end, and not by a process that had ended before."""
        said = [word for word in self.words.get(ended.worker, ()) if word.at <= ended.at]
        earlier = [other.at for other in exits if other.worker == ended.worker and other.at < ended.at]
        if not said or any(said[-1].at <= at for at in earlier):
            return ended
        return replace(ended, cached=said[-1].cached)

    def strangers(self, sighting: Sighting) -> tuple[str, ...]:
        """Identities that poll the fleet's queues and are none of its workers: capacity that nobody here controls.

        A killed worker still beats in the server's list and polls in its history for a while, but only the living
        give another sign. While the target is silent nobody can be told from its workers.
        """
        if sighting.look.target.quality is Quality.MISSING:
            return ()
        signs = _unknown(sighting, self.own)
        return tuple(sorted(identity for identity, at in signs.items() if at > self.first_signs.get(identity, at)))


class Recollections:
    """Of all fleets that this controller serves; those that it serves no more are forgotten."""

    def __init__(self) -> None:
        self._shelf: OrderedDict[Owner, Recollection] = OrderedDict()

    def recall(self, owner: Owner, sighting: Sighting) -> Recollection:
        """Remember a look at the owner's fleet, with all before it."""
        recollection = self._shelf[owner] = self._shelf.pop(owner, Recollection()).after(sighting)
        while (eldest := next(iter(self._shelf.values()))).at is not None and sighting.now - eldest.at > REMEMBERED:
            self._shelf.popitem(last=False)
        return recollection


def _word(worker: WorkerSeen, now: datetime) -> LastWord | None:
    if worker.cached is None or worker.heartbeat_age_seconds is None:
        return None
    return LastWord(now - timedelta(seconds=worker.heartbeat_age_seconds), worker.restarts, worker.cached)


def _own_places(sighting: Sighting) -> Iterator[str]:
    """Identities of its workers, and the places from which identities are made where nobody chooses them."""
    yield from sighting.joined.identities
    for worker in sighting.look.workers:
        if sighting.look.own_hosts:
            yield from (f"@{host}" for host in worker.hosts)
        else:
            yield from _addresses(worker)


def _unknown(sighting: Sighting, own: Mapping[str, datetime]) -> dict[str, datetime]:
    """Pollers that are not the fleet's own, and their newest sign of life."""
    beats = {beat.identity: beat for beat in sighting.joined.others}
    silent = _some_worker_is_silent(sighting)
    signs: dict[str, datetime] = {}
    for identity, polled_at in sighting.pollers.items():
        if not own.keys().isdisjoint(_places(identity)):
            continue
        beat = beats.get(identity)
        if beat is None and not silent:
            signs[identity] = polled_at
        elif beat is not None and beat.beats_missed(sighting.now) < ALIVE_BEATS:
            signs[identity] = max(beat.at, polled_at)
    return signs


def _some_worker_is_silent(sighting: Sighting) -> bool:
    """Whether a worker serves without heartbeats and under a name of its own choice: it could be any poller."""
    places = {place for identity in sighting.pollers for place in _places(identity)}
    by_name = {worker.name: worker for worker in sighting.joined.workers}
    return any(
        by_name[worker.seen.name].heartbeat_age_seconds is None
        and worker.seen.state is WorkerState.READY
        and places.isdisjoint((*(f"@{host}" for host in worker.hosts), *_addresses(worker)))
        for worker in sighting.look.workers
    )


def _addresses(worker: TargetWorker) -> Iterator[str]:
    for process in worker.processes:
        yield from (f"{process}@{host}" for host in worker.hosts)


def _places(identity: str) -> tuple[str, ...]:
    """What an identity may be known by. The SDKs make `pid@host`, some with the task queue behind it."""
    pid, at, rest = identity.partition("@")
    host = rest.split("@")[0]
    return (identity, f"{pid}@{host}", f"@{host}") if at else (identity,)
