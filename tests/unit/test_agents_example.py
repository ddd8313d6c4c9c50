"""The agents example as far as it needs no server: its load follows from a seed alone, its results are exact."""

import ast
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from examples import agents
from examples.agents.arrivals import Phase, Users, arrival_times, arrivals
from examples.agents.messages import Agent, Opening
from examples.agents.model_call import calls_of_turn
from examples.agents.tally import Outcome, Tally
from examples.agents.transcript import Transcript
from scaler.cli.configuration import Configuration
from scaler.door import read_declared, read_fleet

HERE = Path(agents.__path__[0])
DAY = [Phase("quiet", 300, 1), Phase("ramp", 300, 1, 9), Phase("burst", 300, 9), Phase("silence", 60, 0)]


def test_the_same_seed_makes_the_same_load() -> None:
    assert list(arrivals(DAY, Users(), seed=7)) == list(arrivals(DAY, Users(), seed=7))


def test_another_seed_makes_another_load() -> None:
    assert list(arrivals(DAY, Users(), seed=7)) != list(arrivals(DAY, Users(), seed=8))


@pytest.mark.parametrize(
    ("begin", "end", "turns_per_second"),
    [(0, 300, 1.0), (300, 450, 3.0), (450, 600, 7.0), (600, 900, 9.0), (900, 960, 0.0)],
)
def test_turns_arrive_at_the_rate_of_their_phase(begin: float, end: float, turns_per_second: float) -> None:
    """Within four standard deviations of what a Poisson process of that rate gives in ten loads."""
    seen = sum(begin <= at < end for seed in range(10) for at in arrival_times(DAY, seed))
    expected = 10 * turns_per_second * (end - begin)
    assert seen == pytest.approx(expected, abs=4 * expected**0.5)


def test_turns_of_a_conversation_come_in_order_and_none_after_the_last() -> None:
    turns = defaultdict(list)
    for arrival in arrivals(DAY, Users(), seed=3):
        turns[arrival.conversation].append(arrival)
    assert [arrival.turn for arrival in turns[0]] == list(range(len(turns[0])))
    for conversation in turns.values():
        assert [arrival.turn for arrival in conversation] == list(range(len(conversation)))
        assert not any(arrival.last for arrival in conversation[:-1])


def test_a_user_who_left_does_not_come_back() -> None:
    spoke: dict[int, float] = {}
    for arrival in arrivals(DAY, Users(leave_after_seconds=20), seed=3):
        assert arrival.at_seconds - spoke.get(arrival.conversation, arrival.at_seconds) < 20
        spoke[arrival.conversation] = arrival.at_seconds


def test_no_more_conversations_are_open_than_allowed() -> None:
    users = Users(most_conversations=25)
    spoke: dict[int, float] = {}
    for arrival in arrivals(DAY, users, seed=3):
        spoke[arrival.conversation] = arrival.at_seconds
        recent = [at for at in spoke.values() if arrival.at_seconds - at < users.leave_after_seconds]
        assert len(recent) <= 25
        if arrival.last:
            del spoke[arrival.conversation]


def test_a_percentile_is_the_latency_that_so_many_turns_stayed_within() -> None:
    tally = Tally(arrived=101)
    tally.outcomes += [Outcome(at_seconds=0, latency_seconds=float(latency)) for latency in range(100, 0, -1)]
    assert [tally.latency_seconds(percentile) for percentile in (1, 50, 95, 100)] == [1, 50, 95, 100]
    assert (tally.completed, tally.failed, tally.unanswered) == (100, 0, 1)


def test_a_failed_turn_counts_as_failed_and_not_as_fast() -> None:
    tally = Tally(arrived=1, outcomes=[Outcome(at_seconds=0, latency_seconds=0.1, fault="refused")])
    assert (tally.completed, tally.failed, tally.latency_seconds(95)) == (0, 1, None)


def test_a_transcript_is_as_long_as_declared_and_the_same_whenever_it_is_made() -> None:
    agent = Agent(context_bytes=10_000, bytes_per_turn=300, bytes_per_message=128)
    grown = Transcript(Opening(agent=agent, seed="7/1"))
    for number in range(3):
        grown.add_turn(number)
    rebuilt = Transcript(Opening(agent=agent, seed="7/1", answered=3))
    assert grown.messages == rebuilt.messages
    assert grown.text_bytes == 10_900
    assert {len(message.text) for message in grown.messages} == {128, 10_000 % 128, 300 % 128}


def test_a_turn_needs_the_same_model_calls_on_every_replay() -> None:
    agent = Agent(most_calls_per_turn=3)
    turns = [list(calls_of_turn(agent, "7/1", number)) for number in range(100)]
    assert turns == [list(calls_of_turn(agent, "7/1", number)) for number in range(100)]
    assert {len(calls) for calls in turns} == {1, 2, 3}
    assert all(later.seed != earlier.seed for calls in turns for earlier, later in pairwise(calls))


def test_the_fleet_of_the_example_is_accepted_and_the_controller_knows_its_target() -> None:
    read = YAML(typ="safe").load
    fleet = read_fleet(read(HERE / "fleet.yaml"))
    controller = read_declared(Configuration, read(HERE / "controller.yaml"))
    assert fleet.target.name in controller.targets.local


def test_the_example_is_the_users_code_and_imports_none_of_ours() -> None:
    imported = {name for path in HERE.glob("*.py") for name in _imports(path)}
    assert not imported & {"scaler", "workflows", "activities", "tests"}


def _imports(path: Path) -> set[str]:
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return {name.partition(".")[0] for name in plain} | {
        (node.module or "").partition(".")[0] for node in nodes if isinstance(node, ast.ImportFrom)
    }
