"""Mutates the core and looks whether a test notices: `make mutants ARGS='--sample 300 --seed 1 --output json'`.

Survivors are listed; `--only` takes paths of files. The last line is one object.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

from benchmarks.mutation.mutants import MUTATED, Mutant, all_mutants, sampled
from benchmarks.mutation.trial import Bench, Verdict

ROOT = Path(__file__).parents[2]


def verdicts(mutants: list[Mutant], jobs: int) -> Iterable[Verdict]:
    """Each mutant's, as they come; so many at a time."""
    benches: SimpleQueue[Bench] = SimpleQueue()
    made = [Bench(ROOT) for _ in range(jobs)]
    for bench in made:
        benches.put(bench)

    def tried(mutant: Mutant) -> Verdict:
        bench = benches.get()
        try:
            return bench.tried(mutant)
        finally:
            benches.put(bench)

    try:
        with ThreadPoolExecutor(jobs) as pool:
            yield from pool.map(tried, mutants)
    finally:
        for bench in made:
            bench.close()


def room(mutant: Mutant) -> str:
    """The part of the core that a mutant is of."""
    parts = Path(mutant.path).parts
    return parts[1].removesuffix(".py")


def main() -> int:
    """Exit 0 where the tests could be run at all."""
    parser = argparse.ArgumentParser(prog="make mutants", description=__doc__)
    parser.add_argument("--sample", type=int, default=300, help="how many mutants to try (300)")
    parser.add_argument("--seed", type=int, default=1, help="which ones (1)")
    parser.add_argument("--jobs", type=int, default=2, help="how many at a time (2)")
    parser.add_argument("--only", action="append", help="mutate these files (all of the core)")
    parser.add_argument("--output", choices=("text", "json"), default="text")
    asked = parser.parse_args()
    mutants = sampled(all_mutants(ROOT, asked.only or MUTATED), asked.sample, asked.seed)
    bench = Bench(ROOT)
    unmutated = bench.unmutated(mutants[0])
    bench.close()
    if unmutated.killed:
        sys.stderr.write(f"The tests fail without any mutant: {unmutated.by}\n")
        return 1
    tested: Counter[str] = Counter()
    killed: Counter[str] = Counter()
    for verdict in verdicts(mutants, asked.jobs):
        tested[room(verdict.mutant)] += 1
        killed[room(verdict.mutant)] += verdict.killed
        if not verdict.killed:
            sys.stdout.write(f"survived  {verdict.mutant}\n")
            sys.stdout.flush()
    share = {name: round(killed[name] / count, 3) for name, count in sorted(tested.items())}
    report = {
        "tested": tested.total(),
        "killed": killed.total(),
        "survived": tested.total() - killed.total(),
        "killed_share_by_room": share,
    }
    text = json.dumps(report) if asked.output == "json" else "\n".join(f"{k}: {v}" for k, v in report.items())
    sys.stdout.write(f"{text}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
