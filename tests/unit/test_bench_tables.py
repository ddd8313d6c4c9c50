"""What a benchmark's tables say, and that they say where this product loses."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks.comparison.cells import Block, Cell, Kind, entrants_of
from benchmarks.comparison.claims import Claim, claims
from benchmarks.comparison.evidence import Evidence
from benchmarks.comparison.plan import Pass
from benchmarks.comparison.tables import BEGIN, END, write
from scaler.simulation.entrants import JOINT

STEADY = Block(scenario="steady", trace="own", seed=1)
DRIFT = Block(scenario="memory-drift", trace="own", seed=1)

FIGURES: dict[str, Any] = {
    "oom_kills": 0,
    "oom_kills_after_first_decision": 0,
    "slo_violation_minutes": 1.0,
    "slo_violation_task_share": 0.01,
    "worker_hours": 10.0,
    "reversals_10m": 1.0,
    "cache_rollouts": 0,
    "replay_seconds": 5.0,
}


def evidence(unfinished: Iterable[Cell] = (), **own: Any) -> Evidence:
    """Everybody alike, but for this product's figures."""
    left = set(unfinished)

    def rows(cells: Iterable[Cell]) -> list[dict[str, Any]]:
        return [
            {"scenario": cell.block.scenario, "trace": cell.block.trace, "seed": cell.block.seed, "kind": cell.kind}
            | {"policy": entrant.name, "setting": setting}
            | FIGURES
            | (own if entrant.name == JOINT else {})
            for cell in cells
            if cell not in left
            for entrant, setting in entrants_of(cell)
        ]

    passes = [Pass(kind=kind, blocks=(STEADY, DRIFT)) for kind in (Kind.DEFAULT, Kind.SWEEP)]
    return Evidence(passes=passes, finished=lambda cell: cell not in left, rows=rows)


def exceptions(found: Evidence, beginning: str) -> Claim:
    return next(claim for claim in claims(found) if claim.sentence.startswith(beginning))


def test_a_load_counts_when_everybody_has_run_it() -> None:
    last = Pass(kind=Kind.DEFAULT, blocks=(DRIFT,)).cells[-1]
    found = evidence(unfinished=[last])

    assert found.scenarios == ["steady"]
    assert not found.curves("memory-drift")
    assert str(found.share(Kind.DEFAULT)) == "1 of 2 loads (50%; 0 of 1 passes)"


def test_a_curve_has_the_default_among_its_settings() -> None:
    assert len(evidence().curves("steady")[JOINT]) == 5


def test_claims_name_the_places_where_they_fail() -> None:
    worse = evidence(oom_kills=2, slo_violation_minutes=3.0, worker_hours=12.0, reversals_10m=4.0)

    assert exceptions(worse, "No OOM kill").exceptions == (
        "steady under own, seed 1: 2",
        "memory-drift under own, seed 1: 2",
    )
    assert exceptions(worse, "No causal").exceptions[0].startswith("memory-drift: cpu, keda")
    assert exceptions(worse, "It dominates").exceptions == ("memory-drift: wci-default, wci-tuned, wci-tenth",)
    assert "1.20 × keda" in exceptions(worse, "Where replay is cheap").exceptions[0]
    assert "memory-drift: 3.00" in exceptions(worse, "As it comes, no more violation").exceptions[0]
    assert exceptions(worse, "As it comes, at most 1.10").exceptions == ("the median is 1.200",)
    assert "memory-drift: 4.00" in exceptions(worse, "As it comes, no more reversals").exceptions[0]


def test_claims_that_hold_have_no_exceptions_and_say_in_how_many_places_they_were_tried() -> None:
    better = list(claims(evidence(worker_hours=8.0, reversals_10m=0.0)))

    assert [claim.exceptions for claim in better] == [()] * len(better)
    assert [claim.places for claim in better] == [2, 0, 2, 1, 1, 2, 1, 2, 2]


def test_who_is_calm_because_everybody_waits_is_told_apart() -> None:
    early = evidence(slo_violation_task_share=0.0, reversals_10m=4.0)

    assert exceptions(early, "As it comes, no more reversals than the calmest baseline").places == 0
    assert len(exceptions(early, "As it comes, no more reversals than the calmest of all").exceptions) == 2


def test_nowhere_as_punctual_as_a_rival_is_infinitely_dear() -> None:
    late = evidence(slo_violation_task_share=0.04)

    assert "inf × keda" in exceptions(late, "Where replay is cheap").exceptions[0]


def test_tables_replace_the_generated_part_of_a_document_and_nothing_else(tmp_path: Path) -> None:
    document = tmp_path / "benchmarks.md"
    document.write_text(f"# Mine\n\n{BEGIN}\nof yesterday\n{END}\n\n## Later\n", encoding="utf-8")
    write(document, evidence(worker_hours=12.0))
    text = document.read_text(encoding="utf-8")

    assert text.startswith(f"# Mine\n\n{BEGIN}\n\nRun: ")
    assert text.endswith(f"{END}\n\n## Later\n")
    assert "of yesterday" not in text
    assert "| No causal baseline dominates it | 2 | 2 | memory-drift: cpu, keda" in text


def test_tables_are_written_before_anything_is_finished(tmp_path: Path) -> None:
    document = tmp_path / "comparison.md"
    write(document, evidence(unfinished=[*Pass(kind=Kind.DEFAULT, blocks=(STEADY, DRIFT)).cells]))

    assert "0 of 2 loads (0%; 0 of 1 passes)" in document.read_text(encoding="utf-8")
