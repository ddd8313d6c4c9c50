"""Recordings become traces, traces become windows, and what is wrong with a file is said."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from scaler.door import Refused
from scaler.simulation.convert import Recipe, converted, known_recipes
from scaler.simulation.traces import Trace, read_trace, write_trace

RNG = np.random.default_rng(7)


def written(path: Path, text: str) -> Path:
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


@pytest.mark.parametrize("name", ["trace.csv", "trace.csv.gz"])
@pytest.mark.parametrize(
    "trace",
    [
        Trace(at=np.array([0.0, 1.5, 2.25])),
        Trace(at=np.array([0.0, 60.0, 120.0]), count=np.array([5.0, np.nan, 7.0])),
        Trace(at=np.array([0.0, 1.0]), session=np.array([3, 3]), turn=np.array([0, 1])),
    ],
    ids=["arrivals", "counts", "sessions"],
)
def test_what_is_written_is_read_again(trace: Trace, name: str, tmp_path: Path) -> None:
    write_trace(trace, tmp_path / name)
    read = read_trace(tmp_path / name)

    for column in ("at", "count", "session", "turn"):
        expected, found = getattr(trace, column), getattr(read, column)
        assert (found is None) == (expected is None)
        if expected is not None:
            np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("time,count\n1,2\n", "the first line must be t_s,count or t_s or t_s,session_id,turn, found 'time,count'"),
        ("t_s,count\n", "has no arrivals"),
        ("t_s,count\n1\n", "line 2: must have 2 fields, found 1"),
        ("t_s,count\n1,x\n", "line 2: must be numbers, found 'x'"),
        ("t_s,count\n1,-4\n", "line 2: must be finite and not negative, found '-4'"),
    ],
)
def test_a_mistake_is_told_with_its_line(text: str, expected: str, tmp_path: Path) -> None:
    with pytest.raises(Refused) as refused:
        read_trace(written(tmp_path / "trace.csv", text))

    assert str(refused.value) == expected


def test_rows_may_come_in_any_order(tmp_path: Path) -> None:
    assert list(read_trace(written(tmp_path / "t.csv", "t_s\n3\n1\n2\n")).at) == [1, 2, 3]


def test_a_window_cuts_intervals_in_proportion() -> None:
    trace = Trace(at=np.array([0.0, 100.0, 200.0]), count=np.array([10.0, 20.0, 30.0]))
    window = trace.between(50.0, 225.0)

    assert window.count is not None
    np.testing.assert_allclose(window.at, [0, 50, 150, 175])
    np.testing.assert_allclose(window.count, [5, 20, 7.5, 0])


def test_a_window_lies_where_there_is_no_gap() -> None:
    count = np.full(100, 4.0)
    count[:60] = np.nan
    trace = Trace(at=np.arange(100.0) * 60, count=count)
    start, end = trace.window(1200.0, RNG)

    assert start >= 3600 - 60
    assert end - start == 1200


def test_a_trace_that_is_shorter_than_the_window_is_taken_whole() -> None:
    assert Trace(at=np.array([5.0, 15.0])).window(7200.0, RNG) == (5.0, 15.0)


def test_gaps_do_not_count_in_the_mean_rate() -> None:
    trace = Trace(at=np.array([0.0, 10.0, 20.0]), count=np.array([20.0, np.nan, 40.0]))

    assert trace.mean_per_second == pytest.approx(3.0)


def test_a_recording_of_rates_becomes_counts_with_its_gaps_masked(tmp_path: Path) -> None:
    path = written(tmp_path / "rps.csv.gz", "t,a:rps,b:rps\n0,1.5,0\n600,0,2\n1200,3,2\n")
    trace = converted(path, Recipe(time="t", rate="a:rps", zero_is_gap=True))

    assert trace.count is not None
    np.testing.assert_array_equal(trace.count, [900, np.nan, 1800])


def test_a_recording_with_moments_and_a_hole_in_it(tmp_path: Path) -> None:
    text = "minute,n\n1998-06-08T00:00,5\n1998-06-08T00:01,6\n1998-06-08T00:05,7\n1998-06-08T00:06,8\n"
    trace = converted(written(tmp_path / "m.csv", text), Recipe(time="minute", count="n"))

    assert trace.count is not None
    np.testing.assert_array_equal(trace.at, [0, 60, 120, 300, 360])
    np.testing.assert_array_equal(trace.count, [5, 6, np.nan, 7, 8])


def test_jitter_never_turns_the_turns_of_a_session_around(tmp_path: Path) -> None:
    rows = "".join(f"{3 * (turn // 4)},{session},{turn}\n" for session in range(20) for turn in range(12))
    path = written(tmp_path / "s.csv", f"t,s,n\n{rows}")
    trace = converted(path, Recipe(time="t", session="s", turn="n", jitter_seconds=3.0))

    assert trace.session is not None
    assert trace.turn is not None
    for session in range(20):
        mine = trace.session == session
        assert list(trace.turn[mine]) == list(range(12))
    assert len(set(trace.at)) == len(trace.at)


def test_a_column_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="must have the columns when, found t"):
        converted(written(tmp_path / "x.csv", "t\n1\n"), Recipe(time="when"))


def test_files_are_known_by_how_their_names_begin() -> None:
    names = set(known_recipes(Path("servegen_alibaba_rps_10min.csv.gz")))

    assert "servegen-m-large" in names
    assert known_recipes(Path("other.csv")) == {}
