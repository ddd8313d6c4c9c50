"""Random numbers that follow from a seed and from what they are for, so that no draw shifts another's."""

from enum import IntEnum

import numpy as np

from scaler.simulation.scenario import Spread


class Stream(IntEnum):
    """What random numbers are drawn for. The load's are the same whatever policy runs: comparisons are paired."""

    WINDOW = 1
    ARRIVALS = 2
    SESSIONS = 3
    SERVICE = 4
    STATE = 5
    PLATFORM = 6
    METRICS = 7
    CONVERSION = 8
    STEPS = 9


def generator(seed: int, stream: Stream) -> np.random.Generator:
    """The stream of a seed."""
    return np.random.default_rng(np.random.SeedSequence(entropy=seed, spawn_key=(stream,)))


def lognormal(rng: np.random.Generator, spread: Spread, size: int) -> np.ndarray:
    """Draw times in seconds with the spread's mean and squared coefficient of variation."""
    return spread.mean_seconds * unit_lognormal(rng, spread.scv, size)


def unit_lognormal(rng: np.random.Generator, scv: float, size: int) -> np.ndarray:
    """Draw factors with mean 1 and this squared coefficient of variation."""
    variance = np.log1p(scv)
    return np.exp(rng.normal(-variance / 2, np.sqrt(variance), size))
