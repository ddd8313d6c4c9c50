"""When a benchmark may say that one policy dominates another."""

import math

from benchmarks.comparison.verdicts import Point, curves, dominates, hours_at_equal_lateness


def point(hours: float, late: float, setting: float = 1.0) -> Point:
    return Point(setting=setting, worker_hours=hours, late_share=late, oom_kills=0)


def test_cheaper_and_as_punctual_everywhere_dominates() -> None:
    assert dominates([point(8, 0.01), point(12, 0.0)], [point(10, 0.01), point(14, 0.0)])


def test_one_point_that_nothing_covers_is_enough_against_it() -> None:
    assert not dominates([point(8, 0.01), point(12, 0.0)], [point(10, 0.01), point(7, 0.2)])


def test_two_points_can_not_be_mixed() -> None:
    assert not dominates([point(8, 0.02), point(12, 0.0)], [point(10, 0.01)])


def test_equals_do_not_dominate_each_other() -> None:
    assert not dominates([point(10, 0.01)], [point(10.05, 0.0103)])


def test_hours_are_compared_where_the_other_is_useful_and_cheapest() -> None:
    other = [point(10, 0.04), point(5, 0.3), point(15, 0.0)]

    assert hours_at_equal_lateness([point(9, 0.03), point(8, 0.1)], other) == 0.9
    assert hours_at_equal_lateness([point(8, 0.1)], other) == math.inf
    assert hours_at_equal_lateness([point(8, 0.1)], [point(5, 0.3)]) == 0


def test_a_curve_is_the_mean_over_the_same_runs_with_the_worst_kills() -> None:
    def row(seed: int, hours: float, kills: int) -> dict[str, object]:
        figures = {"worker_hours": hours, "slo_violation_task_share": 0.0, "oom_kills": kills}
        return {"trace": "own", "seed": seed, "policy": "a", "setting": 0.5} | figures

    found = curves([row(1, 10, 0), row(2, 20, 3)])

    assert found == {"a": [Point(setting=0.5, worker_hours=15, late_share=0.0, oom_kills=3)]}
