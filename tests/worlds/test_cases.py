"""Situations from public trouble reports of people who run such autoscalers, each in a small world of its own."""

import importlib
import pkgutil

import pytest

from tests.worlds import cases

CASES = sorted({module.name for module in pkgutil.iter_modules(cases.__path__)} - {"verdict"})


@pytest.mark.parametrize("case", CASES)
def test_a_reported_situation_ends_well(case: str) -> None:
    assert importlib.import_module(f"tests.worlds.cases.{case}").problems() == ()
