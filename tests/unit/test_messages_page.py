"""What docs/messages.md shows of each update passes the door, and none is left out."""

import json
import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from scaler.door import read_declared, read_fleet
from workflows import messages
from workflows.scale_fleet import ScaleFleet

PAGE = (Path(__file__).parents[2] / "docs" / "messages.md").read_text()
SHOWN = dict(re.findall(r"^```json (\w+)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))

MODELS: dict[str, type[BaseModel]] = {
    "pause": messages.PauseRequest,
    "resume": messages.Nothing,
    "override": messages.OverrideRequest,
    "clear_override": messages.Nothing,
    "stop": messages.StopRequest,
    "hint": messages.HintRequest,
}


def test_every_update_of_the_workflow_is_shown() -> None:
    updates = {name for name in dir(ScaleFleet) if hasattr(getattr(ScaleFleet, name), "_defn")}

    assert set(SHOWN) == updates == {*MODELS, "apply"}


@pytest.mark.parametrize("update", MODELS)
def test_what_is_shown_passes_the_door(update: str) -> None:
    read_declared(MODELS[update], json.loads(SHOWN[update]))


def test_the_fleet_that_is_shown_passes_the_door() -> None:
    assert read_fleet(json.loads(SHOWN["apply"])).name == "agents"
