"""What was recorded is decided again: by the same version as then, and by others otherwise."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory

from scaler.cli.exits import CommandFailed, Exit
from scaler.cli.main import carry_out
from scaler.cli.recorded_history import read_history_file, recorded
from scaler.model.common import Size
from scaler.simulation.backtest import backtested, summary
from scaler.simulation.recorded_sizes import read_recording
from tests.simulation.worlds import declared, world
from tests.support.recorded_loop import Reconciled, RecordedLoop, history

Captured = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def ticks() -> list[Reconciled]:
    """Ten minutes, with a crowd in them."""
    running = world(declared(arrivals={"kind": "flash_crowd", "turns_per_second": 3, "factor": 4, "at": "5m"}))
    loop = RecordedLoop(running)
    loop.act(0.0)
    for second in range(1, 600):
        running.advance(float(second))
        loop.act(float(second))
    return loop.ticks


@pytest.fixture
def file(ticks: list[Reconciled], tmp_path: Path) -> Path:
    path = tmp_path / "fleet.json"
    path.write_text(WorkflowHistory("worker-scaler/small", history(ticks)).to_json())
    return path


def test_the_same_version_decides_its_own_history_as_it_did(ticks: list[Reconciled], file: Path) -> None:
    rows = list(backtested(read_history_file(file).ticks))

    assert len(rows) == len(ticks) - 1 > 30
    assert [row.decided_now for row in rows] == [row.decided_then for row in rows]
    assert summary(rows).changes_now > 2


def test_a_declaration_that_asks_for_more_is_decided_otherwise(ticks: list[Reconciled]) -> None:
    found = recorded([history(ticks)])
    more = [
        replace(tick, fleet=tick.fleet.model_copy(update={"workers": tick.fleet.workers.model_copy(update={"min": 9})}))
        for tick in found.ticks
    ]
    told = summary(list(backtested(more)))

    assert told.differ > 20
    assert told.workers_then is not None
    assert told.workers_now is not None
    assert told.workers_now > told.workers_then


def test_the_command_shows_then_and_now(file: Path, capsys: Captured) -> None:
    assert carry_out(["backtest", str(file), "--output", "json"]) is Exit.OK
    answer = json.loads(capsys.readouterr().out)
    assert answer["summary"]["differ"] == 0
    assert len(answer["ticks"]) == answer["summary"]["ticks"]

    assert carry_out(["backtest", str(file)]) is Exit.OK
    shown = capsys.readouterr()
    assert "THEN" in shown.out
    assert "0 decided otherwise" in shown.err


def test_what_is_no_history_is_refused_in_words(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text("{}x")

    with pytest.raises(CommandFailed, match="is no workflow history"):
        read_history_file(path)


def test_a_recording_may_hold_the_sizes_that_there_were(tmp_path: Path) -> None:
    path = tmp_path / "day.csv"
    path.write_text("t_s,count,workers,cache\n0,60,4,200\n60,90,,\n120,60,6,\n")
    trace, sizes = read_recording(path)

    assert trace.count is not None
    assert trace.count.tolist() == [60, 90, 60]
    assert sizes is not None
    assert list(zip(sizes.at, sizes.sizes, strict=True)) == [(0.0, Size(4, 200)), (120.0, Size(6))]


def test_recorded_sizes_run_beside_this_product(tmp_path: Path, capsys: Captured) -> None:
    path = tmp_path / "day.csv"
    rows = "".join(f"{minute * 60},{400},{2},100\n" for minute in range(12))
    path.write_text("t_s,count,workers,cache\n" + rows)

    assert carry_out(["backtest", str(path), "--output", "json"]) is Exit.OK
    joint, then = json.loads(capsys.readouterr().out)
    assert (joint["policy"], then["policy"]) == ("joint", "recorded")
    assert then["size_changes"] == 0
    assert then["slo_violation_task_share"] > joint["slo_violation_task_share"]
