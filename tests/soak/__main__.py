"""Lives random fleets through whatever can happen to them: `make soak ARGS='--steps N --seed S --output json'`.

Every rule is checked at every step. What broke one is told with the life and step that repeat it: `--life N`.
"""

import argparse
import json
import sys
from collections import Counter

from tests.soak.life import STEPS, Life
from tests.soak.tally import REACHED, Tally

LEAST_SHARE = 0.005


def soaked(steps: int, seed: int, first: int = 0) -> Tally:
    """Lives, one after the other, until so many decisions were taken."""
    tally, number = Tally(), first
    while tally.steps < steps:
        tally.add(Life(seed, number).live(min(STEPS, steps - tally.steps)))
        number += 1
    return tally


def main() -> int:
    """Exit 0 where nothing broke, nothing that could be spared was lost, and all that is judged was reached."""
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--steps", type=int, default=20_000, help="decisions to take (20000)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed lives the same lives (1)")
    parser.add_argument("--life", type=int, help="only this life")
    parser.add_argument("--output", choices=("text", "json"), default="text")
    asked = parser.parse_args()
    tally = soaked(asked.steps, asked.seed) if asked.life is None else Life(asked.seed, asked.life).live(asked.steps)
    for (rule, kind), times in Counter((broken.rule, broken.kind) for broken in tally.found).most_common():
        first = next(broken for broken in tally.found if (broken.rule, broken.kind) == (rule, kind))
        sys.stderr.write(f"{times} × {first} (--seed {asked.seed} --life {first.life})\n")
    report = tally.report()
    text = json.dumps(report) if asked.output == "json" else "\n".join(f"{k}: {v}" for k, v in report.items())
    sys.stdout.write(f"{text}\n")
    rare = [name for name in REACHED if report[name] < LEAST_SHARE * tally.steps]
    return int(bool(tally.broken or tally.lost_work or rare))


if __name__ == "__main__":
    sys.exit(main())
