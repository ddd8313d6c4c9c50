"""What people are told of workers that end again and again: everywhere the same, with what helps to find out why."""

import io
import logging
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console, RenderableType

from activities.targets.contract import TargetLook
from scaler.cli.announced_target import AnnouncedTarget
from scaler.cli.fleets import RunningFleet
from scaler.cli.list_fleets import fleet_table, listed
from scaler.cli.status_page import status_page
from scaler.fleet import Fleet
from scaler.model.decision import Mode, Reason
from scaler.model.observation import FailingSeen, VersionsSeen
from scaler.state import State
from scaler.words.ends import failing_words
from scaler.words.explain import explain, markdown
from tests.support import states
from tests.support.paper_target import PaperTarget

FAILING = FailingSeen(
    worker="w-1", version="b", starts=5, status=1, last_line="KeyError: 'TEMPORAL_ADDRESS'", log="/state/logs/w-1.log"
)
TOLD = (
    "w-1 was started 5 times; ended with status 1; its last words: `KeyError: 'TEMPORAL_ADDRESS'`; "
    "the rest is in /state/logs/w-1.log"
)


def failing_state() -> State:
    state = states.state()
    assert state.observation is not None
    assert state.decision is not None
    seen = replace(state.observation, target=replace(state.observation.target, versions=VersionsSeen(failing=FAILING)))
    decision = replace(state.decision, mode=Mode.WORKERS_FAILING, reasons=(Reason.WORKERS_NEVER_READY,))
    return replace(state, observation=seen, decision=decision)


def shown(renderable: RenderableType) -> str:
    written = io.StringIO()
    Console(file=written, width=300, highlight=False).print(renderable)
    return written.getvalue()


@pytest.mark.parametrize(
    ("failing", "told"),
    [
        (FAILING, TOLD),
        (FailingSeen(worker="w-2", starts=1, status=-9), "w-2 was started once; ended by signal 9"),
        (FailingSeen(worker="w-2", starts=2, last_line="`![x](y)`"), "its last words: `'![x](y)'`"),
        (None, "nothing is known of how"),
    ],
    ids=["all", "a signal", "what a page would take for an image", "nothing"],
)
def test_it_says_how_often_how_and_where(failing: FailingSeen | None, told: str) -> None:
    assert told in failing_words(failing)


def test_explain_and_the_web_ui_say_it_first() -> None:
    state = failing_state()
    assert f"Its workers end before they are ready: {TOLD}." in explain(state).splitlines()[0]
    assert f"more of them would not help: {TOLD}" in explain(state)
    assert TOLD in markdown(state)


def test_status_shows_it() -> None:
    assert TOLD in shown(status_page(failing_state(), states.NOW))


def test_list_shows_it() -> None:
    fleet = RunningFleet(name="agents", workflow_id="worker-scaler/agents", started_at=None)
    table = shown(fleet_table([listed(fleet, failing_state())], states.NOW))
    assert "workers failing" in table
    assert "workers never ready" in table


class Failing(PaperTarget):
    """A target whose workers end again and again, for as long as a test wants."""

    failing: FailingSeen | None = None

    async def look(self, fleet: Fleet) -> TargetLook:
        look = await super().look(fleet)
        return replace(look, target=replace(look.target, versions=VersionsSeen(failing=self.failing)))


async def test_the_controllers_log_says_it_once_and_again_when_it_comes_back(caplog: pytest.LogCaptureFixture) -> None:
    paper = Failing()
    target = AnnouncedTarget(paper, lambda _: Path("/state/logs"))
    with caplog.at_level(logging.WARNING):
        for failing in (FAILING, FAILING, None, FAILING):
            paper.failing = failing
            await target.look(states.fleet())
    said = [record.getMessage() for record in caplog.records]
    assert said == [f"Workers of fleet agents end before they are ready: {TOLD}"] * 2
