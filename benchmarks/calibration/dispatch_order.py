"""What a task queue's partitions do to waits: `python -m benchmarks.calibration.dispatch_order`. Needs no server.

A queue has four partitions, each with a backlog of its own, and a poll takes from one of them. So tasks start in order
within a partition only. Compared are a queue in order, four partitions taken from at random, and the waiting formula.
"""

import json
import random
import sys
from itertools import accumulate
from statistics import fmean
from typing import Any, Final

from benchmarks.calibration.fits import fifo_waits, partitioned_waits, percentile
from scaler.size.queueing import Stream, wait_seconds

PARTITIONS: Final = 4
TASKS: Final = 200_000
SERVERS: Final = (8, 32, 100)
UTILISATIONS: Final = (0.8, 0.9, 0.95)


def row(servers: int, utilisation: float) -> dict[str, Any]:
    """Poisson arrivals, exponential service times of a second on average."""
    chance = random.Random(f"{servers}/{utilisation}")  # noqa: S311 (a load is no secret)
    per_second = servers * utilisation
    arrivals = list(accumulate(chance.expovariate(per_second) for _ in range(TASKS)))
    holds = [chance.expovariate(1) for _ in range(TASKS)]
    in_order = fifo_waits(arrivals, holds, servers)
    partitioned = partitioned_waits(list(zip(arrivals, holds, strict=True)), servers, PARTITIONS, seed=1)
    formula = wait_seconds(servers, Stream(arrivals_per_second=per_second, service_seconds=1.0), 95)
    return {
        "servers": servers,
        "utilisation": utilisation,
        "mean_ratio": round(fmean(partitioned) / fmean(in_order), 2),
        "p95_in_order": round(percentile(in_order, 95), 3),
        "p95_partitioned": round(percentile(partitioned, 95), 3),
        "p95_formula": round(formula, 3),
        "p99_in_order": round(percentile(in_order, 99), 3),
        "p99_partitioned": round(percentile(partitioned, 99), 3),
    }


if __name__ == "__main__":
    for each_servers in SERVERS:
        for each_utilisation in UTILISATIONS:
            sys.stdout.write(json.dumps(row(each_servers, each_utilisation)) + "\n")
