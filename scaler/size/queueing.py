"""How long tasks wait for a slot. Pure.

Sources: Erlang's C formula; Halfin and Whitt (1981) for many servers; Allen and Cunneen's approximation for arrivals
and service times that are not exponential.
"""

import math
from dataclasses import dataclass

EXACT_SERVERS = 32
"""Up to here Erlang's recursion; beyond, Halfin-Whitt is within 0.02 of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """Tasks that arrive: how many a second, how long each takes, and how irregular both are.

    `variability` is (Ca² + Cs²) / 2, half the sum of the squared coefficients of variation of the times between
    arrivals and of the service times; 1 for Poisson arrivals with exponential service.
    """

    arrivals_per_second: float
    service_seconds: float
    variability: float = 1.0

    @property
    def erlangs(self) -> float:
        """Servers that the stream keeps busy on average."""
        return self.arrivals_per_second * self.service_seconds


def waiting_probability(servers: int, erlangs: float) -> float:
    """Erlang C: the probability that an arriving task finds every server busy."""
    if erlangs <= 0:
        return 0.0
    if erlangs >= servers:
        return 1.0
    if servers > EXACT_SERVERS:
        return _halfin_whitt(servers, erlangs)
    blocking = 1.0
    for server in range(1, servers + 1):
        blocking = erlangs * blocking / (server + erlangs * blocking)
    return blocking / (1 - erlangs / servers * (1 - blocking))


def _halfin_whitt(servers: int, erlangs: float) -> float:
    beta = (servers - erlangs) / math.sqrt(servers)
    density = math.exp(-beta * beta / 2) / math.sqrt(2 * math.pi)
    if density == 0.0:
        return 0.0
    return 1 / (1 + beta * (1 + math.erf(beta / math.sqrt(2))) / 2 / density)


def wait_seconds(servers: int, stream: Stream, percentile: float) -> float:
    """The percentile of the time a task waits for a server; infinite where the servers can't keep up."""
    if stream.erlangs <= 0:
        return 0.0
    if stream.erlangs >= servers:
        return math.inf
    probability, beyond = waiting_probability(servers, stream.erlangs), 1 - percentile / 100
    if probability <= beyond:
        return 0.0
    spare_per_second = (servers - stream.erlangs) / stream.service_seconds
    return math.log(probability / beyond) * stream.variability / spare_per_second
