"""What a benchmark runs in which order, what its finished cells rest on, and what counts of them."""

from collections import Counter
from pathlib import Path

import pytest

from benchmarks.comparison import plan
from benchmarks.comparison.cells import OWN, SWEPT, Block, Cell, Group, Kind, entrants_of, swept
from benchmarks.comparison.fingerprint import Code
from benchmarks.comparison.pace import Pace
from benchmarks.comparison.store import Store
from scaler.simulation import catalogue
from scaler.simulation.entrants import ENTRANTS
from scaler.simulation.traces import parse_trace, write_trace

PASSES = list(plan.passes(plan.TRAINING))


def blocks(kind: Kind, passes: list[plan.Pass]) -> list[Block]:
    return [block for each in passes if each.kind is kind for block in each.blocks]


def cell(group: Group, kind: Kind = Kind.DEFAULT, trace: str = OWN) -> Cell:
    return Cell(kind=kind, group=group, block=Block(scenario="steady", trace=trace, seed=1))


def test_every_scenario_runs_under_every_trace_with_every_seed_once() -> None:
    ran = blocks(Kind.DEFAULT, PASSES)
    wanted = {
        (name, trace, seed)
        for name in catalogue.names()
        for trace in ((OWN, *plan.TRAINING) if catalogue.named(name).takes_trace else (OWN,))
        for seed in range(1, plan.SEEDS + 1)
    }

    assert len(ran) == len(wanted)
    assert {(block.scenario, block.trace, block.seed) for block in ran} == wanted


@pytest.mark.parametrize("kind", [Kind.DEFAULT, Kind.SWEEP])
def test_any_first_passes_have_every_scenario_that_takes_traces_equally_often_and_traces_evenly(kind: Kind) -> None:
    taking = [name for name in catalogue.names() if catalogue.named(name).takes_trace]
    for count in range(1, len(PASSES) + 1):
        found = [block for block in blocks(kind, PASSES[:count]) if block.scenario in taking]
        scenarios, traces = Counter(block.scenario for block in found), Counter(block.trace for block in found)
        if found:
            assert len(scenarios) == len(taking)
            assert len(set(scenarios.values())) == 1
            assert max(traces.values()) - min(traces.values()) <= 2


def test_curves_are_drawn_under_loads_that_run_with_defaults_too_and_under_every_trace() -> None:
    under = blocks(Kind.SWEEP, PASSES)

    assert set(under) <= set(blocks(Kind.DEFAULT, PASSES))
    assert {block.trace for block in under if block.scenario == "steady"} == {OWN, *plan.TRAINING}


def test_loads_for_tuning_are_never_scored() -> None:
    assert not set(plan.tuning(plan.TRAINING).blocks) & set(blocks(Kind.DEFAULT, PASSES))


@pytest.mark.parametrize("name", ENTRANTS)
def test_a_sweep_has_the_same_number_of_settings_for_all_and_does_not_run_the_default_again(name: str) -> None:
    settings = swept(ENTRANTS[name])

    assert len({*settings, ENTRANTS[name].default}) == SWEPT
    assert len(settings) == SWEPT - 1


def test_this_product_has_cells_of_its_own() -> None:
    assert {entrant.name for entrant, _ in entrants_of(cell(Group.JOINT))} == {"joint"}
    assert "joint" not in {entrant.name for entrant, _ in entrants_of(cell(Group.OTHERS))}


def test_finished_cells_are_kept_until_what_they_rest_on_changes(tmp_path: Path) -> None:
    trace = tmp_path / "traces" / "some.csv.gz"
    trace.parent.mkdir()
    write_trace(parse_trace("t_s,count\n0,5\n60,6\n"), trace)
    product, others = cell(Group.JOINT, trace="some"), cell(Group.OTHERS, trace="some")
    store = Store(tmp_path / "cells", trace.parent, {"steady": 100})
    for each in (product, others):
        store.keep(each, [{"policy": "any"}])

    again = Store(tmp_path / "cells", trace.parent, {"steady": 100})
    assert again.rows([product]) == [{"policy": "any", "kind": "default"}]
    retuned = Store(tmp_path / "cells", trace.parent, {"steady": 90})
    assert (retuned.has(product), retuned.has(others)) == (True, False)


def written(root: Path, **modules: str) -> Code:
    for name, text in modules.items():
        (root / f"{name}.py").write_text(text, encoding="utf-8")
    return Code(root)


def test_a_fingerprint_changes_with_what_a_module_imports_and_not_with_what_it_says(tmp_path: Path) -> None:
    first = written(tmp_path, a='"""Old."""\nimport b\n', b="x = 1\n", c="y = 1\n").fingerprint(["a"], ["b"])
    said = written(tmp_path, a='"""New."""\nimport b  # why\n', c="y = 2\n").fingerprint(["a"], ["b"])
    done = written(tmp_path, b="x = 2\n").fingerprint(["a"], ["b"])

    assert first == said
    assert first != done


def test_a_fingerprint_does_not_follow_what_stands_alone_or_is_elsewhere(tmp_path: Path) -> None:
    first = written(tmp_path, a="import b\n", b="x = 1\n", d="import b\n").fingerprint(["a"], [], alone=["d"])
    elsewhere = written(tmp_path, b="x = 2\n").fingerprint(["a"], [], alone=["d"])
    alone = written(tmp_path, d="import b as c\n").fingerprint(["a"], [], alone=["d"])

    assert first == elsewhere
    assert first != alone


def test_no_cells_begin_that_would_take_longer_than_there_is_time() -> None:
    pace = Pace(100.0, jobs=2)
    assert pace.has_time_for([cell(Group.OTHERS)] * 1000)  # nobody knows yet

    pace.took(cell(Group.OTHERS), 10.0)
    assert pace.has_time_for([cell(Group.OTHERS)] * 15)
    assert not pace.has_time_for([cell(Group.OTHERS)] * 25)
    assert not pace.has_time_for([cell(Group.OTHERS, Kind.SWEEP)] * 6)
