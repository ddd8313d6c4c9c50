"""How many activities are under way in all open runs, from those that were read."""

from datetime import UTC, datetime, timedelta

import pytest
from temporalio.api.enums.v1 import PendingActivityState
from temporalio.api.workflow.v1 import PendingActivityInfo

from activities.sources.under_way import OpenRun, Started, estimated, started
from scaler.model.observation import UnderWay

NOW = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)


def _run(*ages_seconds: float, queue: str = "jobs", watched: bool = False) -> OpenRun:
    begun = tuple(Started(queue, NOW - timedelta(seconds=age)) for age in ages_seconds)
    return OpenRun(read_at=NOW, started=begun, watched=watched)


@pytest.mark.parametrize(
    ("runs", "open_runs", "expected"),
    [
        ([], 0, UnderWay(0, 0.0)),
        ([], 3, None),
        ([_run(), _run(5.0, 7.0)], 2, UnderWay(2, 7.0)),
        ([_run(), _run(5.0, 7.0)], 20, UnderWay(20, 7.0)),  # one for each of twenty runs
        ([_run(), _run(5.0)], 1, UnderWay(1, 5.0)),  # one of them is over by now
        ([_run(3600.0, watched=True), _run()], 100, UnderWay(1, 3600.0)),  # it was chosen for its job
        ([_run(9.0, queue="other")], 1, UnderWay(0, 0.0)),
    ],
)
def test_what_sampled_runs_run_stands_for_all(runs: list[OpenRun], open_runs: int, expected: UnderWay | None) -> None:
    assert estimated("jobs", runs, open_runs) == expected


def _pending(state: PendingActivityState.ValueType, age_seconds: float) -> PendingActivityInfo:
    pending = PendingActivityInfo(state=state)
    pending.activity_options.task_queue.name = "jobs"
    pending.last_started_time.FromDatetime(NOW - timedelta(seconds=age_seconds))
    return pending


def test_an_activity_occupies_a_slot_while_a_worker_has_it() -> None:
    """One that failed waits for its next attempt, maybe for days."""
    pending = [
        _pending(PendingActivityState.PENDING_ACTIVITY_STATE_STARTED, 5),
        _pending(PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED, 86_400),
        _pending(PendingActivityState.PENDING_ACTIVITY_STATE_PAUSED, 86_400),
        _pending(PendingActivityState.PENDING_ACTIVITY_STATE_CANCEL_REQUESTED, 7),
    ]

    assert [NOW - each.at for each in started(pending, NOW)] == [timedelta(seconds=5), timedelta(seconds=7)]


def test_server_clocks_that_are_ahead_make_nothing_younger_than_now() -> None:
    [begun] = started([_pending(PendingActivityState.PENDING_ACTIVITY_STATE_STARTED, -3)], NOW)

    assert begun.at == NOW
