"""`temporal-scaler simulate`, from the words on the command line to table, JSON and page."""

import json
import re
from pathlib import Path

import pytest

from scaler.cli.exits import Exit
from scaler.cli.main import carry_out

Captured = pytest.CaptureFixture[str]

PROMISED = {
    "policy", "scenario", "seeds", "oom_kills", "slo_violation_minutes", "slo_violation_task_share", "worker_hours",
    "worker_hours_over_clairvoyant", "size_changes", "cache_rollouts", "reversals_10m", "replay_seconds",
    "max_memory_fraction",
}  # fmt: skip

SCENARIO = """
name: mine
about: Seven minutes of my own.
arrivals: {kind: steady, turns_per_second: 3}
duration: 7m
warm_up: 2m
start: {workers: 4, cache: 100}
avoidable_kills: true
"""


@pytest.fixture
def scenario(tmp_path: Path) -> str:
    path = tmp_path / "mine.yaml"
    path.write_text(SCENARIO)
    return str(path)


@pytest.fixture
def trace(tmp_path: Path) -> str:
    path = tmp_path / "trace.csv"
    path.write_text("t_s,count\n" + "".join(f"{minute * 60},{100 + minute}\n" for minute in range(30)))
    return str(path)


def test_json_has_one_object_for_each_policy_in_their_order(scenario: str, capsys: Captured) -> None:
    arguments = ["simulate", "--scenario", scenario, "--policies", "keda,joint,clairvoyant", "--seeds", "2"]
    assert carry_out([*arguments, "--output", "json"]) is Exit.OK

    rows = json.loads(capsys.readouterr().out)
    assert [row["policy"] for row in rows] == ["keda", "joint", "clairvoyant"]
    assert all(set(row) >= PROMISED for row in rows)
    assert {(row["scenario"], row["seeds"]) for row in rows} == {("mine", 2)}
    assert isinstance(rows[0]["oom_kills"], int)
    assert rows[2]["worker_hours_over_clairvoyant"] == 1.0


def test_the_same_words_give_the_same_figures(scenario: str, trace: str, capsys: Captured) -> None:
    arguments = ["simulate", "--scenario", scenario, "--trace", trace, "--policies", "joint", "--seeds", "1"]
    answers = []
    for _ in range(2):
        assert carry_out([*arguments, "-o", "json"]) is Exit.OK
        answers.append(capsys.readouterr().out)

    assert answers[0] == answers[1]


def test_a_rate_scale_multiplies_the_trace_and_auto_needs_a_quarter_of_the_workers(
    scenario: str, trace: str, capsys: Captured
) -> None:
    turns = {}
    for scale in ("1", "2", "auto"):
        arguments = ["--trace", trace, "--policies", "static", "--seeds", "1", "--rate-scale", scale, "-o", "json"]
        assert carry_out(["simulate", "--scenario", scenario, *arguments]) is Exit.OK
        turns[scale] = json.loads(capsys.readouterr().out)[0]["turns"]

    assert turns["2"] == pytest.approx(2 * turns["1"], rel=0.1)
    assert turns["auto"] == pytest.approx(60 / 4 * 10 * 0.8 / 12 * 420, rel=0.1)


def test_a_table_has_a_line_for_each_policy(scenario: str, capsys: Captured) -> None:
    assert carry_out(["simulate", "--scenario", scenario, "--policies", "joint,slot-hpa", "--seeds", "1"]) is Exit.OK

    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:3] == ["POLICY", "OOM", "KILLS"]
    assert [line.split()[0] for line in lines[1:]] == ["joint", "slot-hpa"]


def test_a_page_stands_alone(scenario: str, tmp_path: Path, capsys: Captured) -> None:
    page = tmp_path / "report.html"
    arguments = ["--policies", "joint,cpu", "--seeds", "1", "--report", str(page)]
    assert carry_out(["simulate", "--scenario", scenario, *arguments]) is Exit.OK
    capsys.readouterr()

    text = page.read_text()
    assert text.startswith("<!doctype html>")
    assert text.count("<svg") == 2 + 2 * 3
    assert "Seven minutes of my own." in text
    assert not re.search(r"<script|<link|src=|@import|url\(", text)
    assert "nan" not in text.lower().replace("tenant", "")


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["--scenario", "nowhere"], Exit.REFUSED, "must be a file or one of bursty, cheap-replay"),
        (["--scenario", "steady", "--policies", "joint,luck"], Exit.REFUSED, "found 'luck'"),
        (["--scenario", "steady", "--rate-scale", "0"], Exit.USAGE, "must be auto or a number above 0"),
        (["--scenario", "steady", "--seeds", "0"], Exit.USAGE, "--seeds"),
        (["--scenario", "steady", "--trace", "nowhere.csv"], Exit.REFUSED, "nowhere.csv can't be read"),
        ([], Exit.USAGE, "--scenario"),
    ],
)
def test_what_can_not_be_run_is_said_before_anything_runs(
    arguments: list[str], status: Exit, words: str, capsys: Captured
) -> None:
    assert carry_out(["simulate", *arguments]) is status

    told = capsys.readouterr()
    assert words in told.err
    assert told.out == ""


def test_a_mistake_in_a_scenario_file_comes_with_its_line(tmp_path: Path, capsys: Captured) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(SCENARIO.replace("duration: 7m", "duration: 7 parsecs"))

    assert carry_out(["simulate", "--scenario", str(path)]) is Exit.REFUSED
    assert f"{path}:5: duration: " in capsys.readouterr().err


def test_a_scenario_whose_arrivals_are_its_point_takes_no_trace(trace: str, capsys: Captured) -> None:
    assert carry_out(["simulate", "--scenario", "flash-crowd", "--trace", trace]) is Exit.REFUSED
    assert "its arrivals are its point" in capsys.readouterr().err
