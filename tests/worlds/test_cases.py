"""Situations from public trouble reports of people who run such autoscalers, each in a small world of its own."""

import importlib
import pkgutil

import pytest

from tests.worlds import cases

CASES = sorted({module.name for module in pkgutil.iter_modules(cases.__path__)} - {"verdict"})

OPEN = frozenset({"pollers_gone"})
"""Cases that are known to go wrong. One that gets right fails its test until it is taken off this list."""


@pytest.mark.parametrize("case", CASES)
def test_a_reported_situation_ends_well(case: str) -> None:
    problems = importlib.import_module(f"tests.worlds.cases.{case}").problems()

    assert (problems != ()) == (case in OPEN), problems
