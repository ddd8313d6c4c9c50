"""How many instances a platform runs that looks at their CPU alone, as Cloud Run does for worker pools. Pure.

Documented are the target, 60 % by default, and the mean over all instances. How long a lower wish must have held is
not: the highest wish of a while is assumed, which is kinder than none.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile


@dataclass(frozen=True, slots=True, kw_only=True)
class CpuReading:
    """What the instances used since the reading before, `seconds` ago. Starting up and replaying count like work."""

    at_seconds: float
    seconds: float
    instances: int  # that are not on their way out; one that crashed is replaced and counts
    vcpu_seconds: float  # of all of them, as parts of what one was promised
    processes: int  # that lived, those on their way out included


@dataclass(frozen=True, slots=True, kw_only=True)
class CpuRule:
    """The rule's settings."""

    target: float
    average_seconds: float
    hold_seconds: float  # the highest wish of so long counts
    fewest: int
    most: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """How many instances would bring their mean share to the target."""

    at_seconds: float
    share: float
    instances: int


def wished(readings: Sequence[CpuReading], rule: CpuRule) -> Wish | None:
    """So many that all the CPU of the averaging time would come to the target; None until readings span that time.

    The mean share times the present count would take the starts of new instances for work of all of them, again and
    again, and run away.
    """
    recent = _newest(readings, rule.average_seconds)
    seconds = sum(reading.seconds for reading in recent)
    if not seconds:
        return None
    used = sum(reading.vcpu_seconds for reading in recent)
    wanted = math.ceil(round(used / seconds / rule.target, 6))
    return Wish(
        at_seconds=readings[-1].at_seconds,
        share=mean_share(readings, rule.average_seconds) or 0.0,
        instances=max(rule.fewest, min(wanted, rule.most)),
    )


def mean_share(readings: Sequence[CpuReading], over_seconds: float) -> float | None:
    """The mean CPU share of one instance over the newest readings; None until they span so long."""
    recent = _newest(readings, over_seconds)
    promised = sum(reading.instances * reading.seconds for reading in recent)
    return sum(reading.vcpu_seconds for reading in recent) / promised if promised else None


def _newest(readings: Sequence[CpuReading], over_seconds: float) -> list[CpuReading]:
    """The readings of the newest stretch of time; none until they span it."""
    if not readings or readings[-1].at_seconds - readings[0].at_seconds + readings[0].seconds < over_seconds:
        return []
    since = readings[-1].at_seconds - over_seconds
    return list(takewhile(lambda reading: reading.at_seconds > since, reversed(readings)))


def instances(wishes: Sequence[Wish], rule: CpuRule) -> int:
    """What the platform runs now: the highest of the wishes that are not too old. There must be one."""
    since = wishes[-1].at_seconds - rule.hold_seconds
    return max(wish.instances for wish in wishes if wish.at_seconds > since)
