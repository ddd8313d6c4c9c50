"""Two fleets on one target or queue meet however each is spelt; and sizes stay bounded whatever strangers do."""

from datetime import UTC, datetime
from typing import Any

import pytest

from activities.neighbours import collisions
from activities.requests import FleetMemo
from activities.sources.visibility import quoted
from scaler.claims import Standing, record_step
from scaler.door import Refused, read_fleet
from scaler.model.common import Claims, Generation, Owner, Size
from scaler.model.plan import Plan, Stamp
from scaler.model.record import StepOutcome, TargetRecord

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)


def memo(name: str, claims: Claims | None = None, **changes: Any) -> FleetMemo:
    plain = {
        "name": name,
        "target": {"kind": "kubernetes", "name": "w"},
        "task_queues": [{"name": "q"}],
        "workers": {"min": 0, "max": 2},
    }
    return FleetMemo.of(read_fleet(plain | changes), claims)


def told(one: FleetMemo, other: FleetMemo) -> list[str]:
    return [str(problem) for problem in collisions(one, other)]


BOTH = [
    "target: is scaled by fleet b already",
    "task_queues[0].share: q is polled by fleet b too; both must declare their share",
]


@pytest.mark.parametrize(
    "spelt",
    [
        {"target": {"kind": "kubernetes", "name": "w", "namespace": "default"}, "temporal": {"namespace": "default"}},
        {"target": {"kind": "kubernetes", "name": "w", "container": "worker"}},
        {},
    ],
)
def test_one_target_and_queue_in_two_spellings_meet(spelt: dict[str, Any]) -> None:
    assert told(memo("a", **spelt), memo("b")) == BOTH


def test_a_local_group_meets_itself_with_its_host_named_or_not() -> None:
    local = {"kind": "local", "name": "g"}
    named = memo("a", Claims(target="local/box/g"), target=local | {"host": "box"}, task_queues=[{"name": "a"}])
    unnamed = memo("b", Claims(target="local/box/g"), target=local)

    assert told(named, unnamed) == BOTH[:1]


def test_an_alias_of_the_connection_is_the_same_place() -> None:
    place = Claims(target="kubernetes/default/x", place="temporal:7233/default")
    other = Claims(target="kubernetes/default/y", place="temporal:7233/default")

    assert told(memo("a", place, temporal={"connection": "alias"}), memo("b", other)) == BOTH[1:]


def test_a_queue_of_one_name_in_another_namespace_is_another() -> None:
    other = memo("b", target={"kind": "kubernetes", "name": "x"})

    assert told(memo("a", temporal={"namespace": "production"}), other) == []


def test_nine_hundred_queues_do_not_pass_the_door() -> None:
    with pytest.raises(Refused, match="task_queues: must be at most 64 queues, found 900"):
        memo("wide", task_queues=[{"name": f"queue-{number}"} for number in range(900)])


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("plain", "'plain'"),
        ("O'Hara", "'O''Hara'"),
        ("a\\b", "'a\\\\b'"),
        ('\\\' OR WorkflowType = "Payroll" -- ', "'\\\\'' OR WorkflowType = \"Payroll\" -- '"),
    ],
)
def test_a_name_is_a_value_in_a_query_and_nothing_else(name: str, written: str) -> None:
    assert quoted(name) == written


STAGING = Owner("default", "worker-scaler/agents", cluster="staging-id")
PRODUCTION = Owner("default", "worker-scaler/agents", cluster="production-id")
UNTOLD = Owner("default", "worker-scaler/agents")


def step(found: Owner, sender: Owner) -> tuple[StepOutcome, TargetRecord | None]:
    """A plan of a size, sent to a target whose record names an owner that lives."""
    record = TargetRecord(owner=found, generation=Generation(1.0, 1), intended=Size(2))
    stamp = Stamp(owner=sender, generation=Generation(1.0, 2), wake_from=NOW)
    taken = record_step(record, Plan(size=Size(3), until=NOW), stamp, Standing(now=NOW, owner_lives=True, desired=2))
    return taken.outcome, taken.write


def test_fleets_of_one_name_on_two_servers_are_two_owners() -> None:
    assert step(PRODUCTION, STAGING) == (StepOutcome.REFUSED_OWNER, None)
    assert step(PRODUCTION, PRODUCTION)[0] is StepOutcome.APPLIED


@pytest.mark.parametrize(("found", "sender"), [(UNTOLD, PRODUCTION), (PRODUCTION, UNTOLD)])
def test_an_owner_that_does_not_tell_its_cluster_may_be_any(found: Owner, sender: Owner) -> None:
    """What an earlier version wrote is its successor's; and it can be rolled back to."""
    outcome, written = step(found, sender)

    assert outcome is StepOutcome.APPLIED
    assert written is not None
    assert written.owner == PRODUCTION
