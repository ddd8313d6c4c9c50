"""Thousands of decisions in random fleets, each held against every rule; `make soak` takes as many as one likes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.soak import mishaps
from tests.soak.__main__ import soaked
from tests.soak.kinds import KINDS, LARGE, FleetKind
from tests.soak.life import Life
from tests.soak.tally import REACHED

ROOT = Path(__file__).parents[2]


def test_thousands_of_decisions_break_no_rule_and_reach_what_the_rules_are_about() -> None:
    tally = soaked(6000, seed=11)

    assert tally.found == []
    assert {name: getattr(tally, name) for name in REACHED if getattr(tally, name) < 0.0025 * tally.steps} == {}


@pytest.mark.parametrize("kind", [*KINDS, *LARGE], ids=lambda kind: kind.name)
def test_every_kind_of_fleet_is_decided_for_without_an_end(kind: FleetKind) -> None:
    lived = Life(3, 1, kind).live(40)

    assert lived.steps == 40
    assert lived.found == []


@pytest.mark.parametrize("mishap", mishaps.MISHAPS, ids=lambda mishap: mishap.__name__)
def test_every_mishap_may_come_between_any_two_ticks(mishap: mishaps.Mishap) -> None:
    lived = Life(5, 2, KINDS[0], (mishap,)).live(60)

    assert lived.found == []


def test_the_same_seed_lives_the_same_lives() -> None:
    assert soaked(600, seed=4).report() == soaked(600, seed=4).report()
    assert soaked(600, seed=4).report() != soaked(600, seed=5).report()


def test_the_last_line_is_one_object_with_all_that_is_judged() -> None:
    command = [sys.executable, "-m", "tests.soak", "--steps", "300", "--output", "json"]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)

    report = json.loads(ran.stdout.splitlines()[-1])
    assert report["steps"] == 300
    assert {"broken", "lost_work", *REACHED} <= set(report)
