"""Conditions of a worker list: those that poll some queues, and all on the hosts where these were seen. Pure."""

import re
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet

from activities.sources.visibility import quoted

HOSTS_BY_NAME = 4
"""More hosts of one queue are asked for by what their names begin with, as those of one Deployment's pods do: the
server compares each worker of the namespace with every condition."""

SHORTEST_PREFIX = 4
"""A shorter one would fit half of a namespace. Of processes on hosts without one only the fleet's queues are known."""


def conditions(queues: Iterable[str], hosts: Iterable[AbstractSet[str]]) -> str:
    """That a worker polls one of the queues, or runs on one of the hosts; `hosts` has a set for each queue."""
    on_queues = (_is("TaskQueue", queue) for queue in sorted(queues))
    on_hosts = {condition for of_queue in hosts for condition in _on(of_queue)}
    return " OR ".join([*on_queues, *sorted(on_hosts)])


def _on(hosts: AbstractSet[str]) -> Iterator[str]:
    named = sorted(host for host in hosts if host)
    if len(named) <= HOSTS_BY_NAME:
        yield from (_is("HostName", host) for host in named)
    elif len(plain := _plain(_beginning(named))) >= SHORTEST_PREFIX:
        yield f"HostName starts_with {quoted(plain)}"


def _beginning(named: Sequence[str]) -> str:
    """What all of these sorted names begin with."""
    first, last = named[0], named[-1]
    same = (index for index, (one, other) in enumerate(zip(first, last, strict=False)) if one != other)
    return first[: next(same, min(len(first), len(last)))]


def _is(field: str, value: str) -> str:
    """Of a value with a quote in it the server compares only what comes before."""
    plain = _plain(value)
    return f"{field} = {quoted(value)}" if plain == value else f"{field} starts_with {quoted(plain)}"


def _plain(value: str) -> str:
    """What comes before the first character that a query can't quote."""
    plain = re.match(r"[^'\"\\\x00-\x1f]*", value)
    return plain.group() if plain is not None else ""
