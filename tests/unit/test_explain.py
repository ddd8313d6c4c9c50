"""The words for a fleet's size: none is missing, and each can be understood."""

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaler.decide import decide_or_hold
from scaler.fleet import Fleet
from scaler.model.common import Generation, Size, TaskType
from scaler.model.decision import Alternative, Constraint, Mode, ObservedQueue, Prediction, Reason
from scaler.model.observation import Fault, Observation, WorkerTotals
from scaler.model.remembered import Operator, Override, Pause, Remembered
from scaler.state import State
from scaler.words.explain import explain, headline, markdown
from scaler.words.wording import AGAINST, CONSTRAINTS, MODES, REASONS
from tests.support import states, strategies

HELD = Remembered(
    operator=Operator(
        pause=Pause(reason="a look", since=states.NOW, until=states.NOW + timedelta(minutes=5)),
        override=Override(reason="a {sale}", until=states.NOW + timedelta(hours=1), workers=6),
    ),
    foreign_since=states.NOW,
)


def told(**changes: object) -> str:
    """The explanation of a decision that differs in this."""
    known = states.state()
    return explain(known.decided(states.decision(**changes), known.memory))


@pytest.mark.parametrize("mode", Mode)
def test_every_mode_has_a_sentence(mode: Mode) -> None:
    assert MODES[mode] == MODES[mode].strip().rstrip(".")
    assert _whole(told(mode=mode))


@pytest.mark.parametrize("constraint", Constraint)
def test_every_constraint_has_a_sentence_for_workers_for_cache_and_against_an_alternative(
    constraint: Constraint,
) -> None:
    rejected = Alternative(predicted=Prediction(size=Size(9, 9)), against=constraint)

    text = told(workers_bound=constraint, cache_bound=constraint, alternatives=(rejected,))

    assert constraint in CONSTRAINTS
    assert constraint in AGAINST
    assert _whole(text)
    assert "It has 4 workers because " in text
    assert "Each cache holds up to 120 workflows because " in text
    assert f"- 9 workers with a cache of 9 workflows each: {AGAINST[constraint]}" in text


def test_a_wait_without_a_backlog_is_not_given_beside_a_backlog_that_would_stay() -> None:
    predicted = Prediction(size=Size(2, 9), activity_seconds=0.0, workflow_task_seconds=0.1, cost_per_hour=2.0)
    stays, late = (Alternative(predicted=predicted, against=Constraint(each)) for each in ("backlog", "activity_load"))

    assert "- 2 workers with a cache of 9 workflows each: the backlog would stay too long (2 an hour)" in told(
        alternatives=(stays,)
    )
    assert "(activities wait 0s, workflow tasks wait 100ms, 2 an hour)" in told(alternatives=(late,))


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_a_sentence(reason: Reason) -> None:
    text = told(reasons=(reason,))

    assert _whole(text)
    assert f"- {REASONS[reason].partition('{')[0]}" in text


def _whole(text: str) -> bool:
    """No placeholder is left, no figure is missing, no name of a member stands for a sentence."""
    return re.search(r"[{}]|None|\b[a-z]+_[a-z]+_", text) is None


def test_the_first_lines_say_why_and_what_would_change_it() -> None:
    assert explain(states.state()).startswith(
        "agents should have 4 workers with a cache of 120 workflows each. It follows its load.\n"
        "It has 4 workers because its activities need so many to start within 1s (95% of them).\n"
        "Each cache holds up to 120 workflows because more would not fit: a worker may use 256 MiB, and 15% of it "
        "stays free.\n"
        "\n"
        "What would change it:\n"
        "- workers: more or longer activities bring more workers at once; fewer or shorter ones take workers away "
        "slowly\n"
        "- cache: a higher memory limit, or workflows that take less memory\n"
    )


def test_what_was_not_chosen_comes_with_its_figures() -> None:
    text = explain(states.state())

    assert (
        "- 3 workers with a cache of 120 workflows each: activities would wait too long "
        "(activities wait 4.2s, 3.1 an hour)" in text
    )
    assert "it would not fit the memory limit (250 MiB in a worker with full caches)" in text


def test_what_is_expected_names_the_size_it_is_of() -> None:
    held = told(size=Size(6, 120))

    assert "What is expected of this size:\n- 95% of activities are expected to wait at most 600ms; nothing" in told()
    assert "The load alone asks for 4 workers with a cache of 120 workflows each, of which is expected:" in held


def test_what_is_not_known_is_said() -> None:
    silent = states.observation(
        totals=(WorkerTotals(cache=120, version="a", workers=4, ready=4, beating=3),),
        faults=(Fault("histories of agents", "RESOURCE_EXHAUSTED"),),
    )

    text = explain(states.state(observation=silent))

    assert "- histories of agents: RESOURCE_EXHAUSTED" in text
    assert (
        "- slots and cache of 1 worker, which sends no fresh heartbeats; "
        "it stays unless histories show that all running tasks end within a drain" in text
    )


def test_what_is_expected_and_what_is_seen_stand_side_by_side() -> None:
    seen = (
        ObservedQueue(queue="agents", task_type=TaskType.ACTIVITY, backlog_tasks=3, wait_seconds=0.4),
        ObservedQueue(
            queue="tools",
            task_type=TaskType.ACTIVITY,
            backlog_tasks=240,
            wait_seconds=250.0,
            late=True,
            beside_free_slots=True,
        ),
    )

    text = told(mode=Mode.LATE, observed=seen, taking_nothing=("w-1", "w-4"))

    assert "Tasks wait longer than the objective." in text
    assert (
        "- 95% of activities are expected to wait at most 600ms; they are seen to wait 4m10s in queue tools; the "
        "objective is 1s\n" in text
    )
    assert (
        "What is seen:\n- 240 activities of queue tools wait, for 4m10s at most, although the workers' slots for them "
        "are free\n- took nothing although they had free slots: w-1, w-4\n" in text
    )


def test_an_operators_words_are_told_as_they_are() -> None:
    known = states.state(memory=HELD)
    overridden = known.decided(
        states.decision(mode=Mode.OVERRIDE, workers_bound=Constraint.OVERRIDE, cache_bound=Constraint.PAUSE), HELD
    )

    text = explain(overridden)

    assert "because an operator set it until 2026-11-21 13:00 UTC: a {sale}." in text
    assert "because the fleet is paused until 2026-11-21 12:05 UTC: a look." in text
    assert "temporal-scaler override agents --clear" in text


@pytest.mark.parametrize(
    ("fleet", "why"),
    [
        (states.fleet(cache={"delivery": "fixed"}), "the fleet declares delivery: fixed"),
        (states.fleet(task_queues=[{"name": "q", "types": ["activity"]}]), "these workers run no workflows"),
        (states.fleet(), "the workers were seen not to follow it"),
    ],
    ids=["declared", "activities only", "overfull"],
)
def test_a_cache_that_is_left_alone_says_why(fleet: Fleet, why: str) -> None:
    known = states.state(fleet=fleet)
    fixed = states.decision(size=Size(4), cache_bound=Constraint.FIXED)

    assert f"Its cache is left alone because {why}." in explain(known.decided(fixed, known.memory))


def test_before_the_first_decision_it_is_looking() -> None:
    first = states.state(observation=None, decision=None)

    assert explain(first) == "agents: nothing is decided yet. Looking at the target for the first time."
    assert markdown(first) == "Looking at the target for the first time."
    assert headline(first) == "Looking at the target for the first time"


def test_the_web_ui_shows_size_reasons_and_what_is_missing() -> None:
    known = states.state(observation=states.observation(faults=(Fault("target", "no answer"),)))
    shown = markdown(known.decided(states.decision(reasons=(Reason.HELD_BY_STEP,)), known.memory))

    assert shown.startswith(
        "**steady**: 4 workers with a cache of 120 workflows each\n\nIt follows its load.\n\n- It has"
    )
    assert "\n- the step is bounded; the rest follows\n- not known: target: no answer\n" in shown
    assert shown.endswith("Decided 11:59:57 UTC on what was seen 11:59:57 UTC.")


@given(strategies.observations(), strategies.fleets, st.sampled_from([Remembered(), HELD]))
def test_whatever_was_seen_can_be_explained(seen: Observation, fleet: Fleet, memory: Remembered) -> None:
    """A defect here would stop the fleet's workflow, which shows the Markdown."""
    decision, memory = decide_or_hold(seen, fleet, memory, strategies.NOW)
    known = State(fleet=fleet, generation=Generation(1.0, 5), observation=seen)

    for each in (known.decided(decision, memory), replace(known.decided(decision, memory), observation=None)):
        assert explain(each)
        assert markdown(each)
