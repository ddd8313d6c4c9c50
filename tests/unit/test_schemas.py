"""The JSON Schemas are current, and say what the door says."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from scaler.cli.configuration_file import read_configuration
from scaler.cli.fleet_file import read_fleets
from scaler.cli.schema import Kind, schema_text
from scaler.cli.schemas import configuration_schema, fleet_file_schema, keys_at
from scaler.fleet import Fleet

ROOT = Path(__file__).parents[2]
FENCE = re.compile(r"^```yaml\n(.*?)^```", re.MULTILINE | re.DOTALL)


def examples() -> Iterator[tuple[str, str]]:
    """Every YAML file, and every YAML block in a document, that is shown to users."""
    for room in ("deploy", "docs", "examples"):
        for path in sorted((ROOT / room).rglob("*.yaml")):
            yield str(path.relative_to(ROOT)), path.read_text()
    for path in (
        ROOT / "README.md",
        *sorted((ROOT / "docs").rglob("*.md")),
        *sorted((ROOT / "examples").rglob("*.md")),
    ):
        for number, block in enumerate(FENCE.findall(path.read_text())):
            yield f"{path.relative_to(ROOT)} block {number + 1}", block


def written_for(text: str) -> Kind | None:
    """What an example declares; manifests of other programs are none of ours."""
    value = YAML(typ="safe").load(text.partition("\n---")[0])
    keys = value.keys() if isinstance(value, dict) else ()
    if "fleets" in keys or {"task_queues", "workers"} & set(keys):
        return Kind.FLEET
    return Kind.CONFIGURATION if {"targets", "connections"} & set(keys) else None


EXAMPLES = [(place, text, kind) for place, text in examples() if (kind := written_for(text)) is not None]


@pytest.mark.parametrize("kind", Kind)
def test_the_file_in_deploy_is_current(kind: Kind) -> None:
    """Renew it with `make schemas`."""
    assert (ROOT / "deploy" / f"{kind}.schema.json").read_text() == schema_text(kind)


@pytest.mark.parametrize("schema", [fleet_file_schema(), configuration_schema()], ids=["fleet", "configuration"])
def test_a_schema_is_one(schema: dict[str, Any]) -> None:
    Draft202012Validator.check_schema(schema)


def test_there_are_examples_of_both_kinds() -> None:
    assert {kind for _, _, kind in EXAMPLES} == set(Kind)


@pytest.mark.parametrize(("place", "text", "kind"), EXAMPLES, ids=[place for place, _, _ in EXAMPLES])
def test_an_example_is_taken(tmp_path: Path, place: str, text: str, kind: Kind) -> None:
    file = tmp_path / Path(place.replace(" ", "-")).with_suffix(".yaml").name
    file.write_text(text)

    if kind is Kind.FLEET:
        read_fleets([file])
    else:
        read_configuration(file)
    Draft202012Validator(json.loads(schema_text(kind))).validate(YAML(typ="safe").load(text))


FLEET: dict[str, Any] = {
    "name": "agents",
    "target": {"kind": "local", "name": "agents"},
    "task_queues": [{"name": "agents", "types": ["workflow"]}],
    "workers": {"min": 1, "max": 8},
}


@pytest.mark.parametrize(
    "change",
    [
        {"workers": {"min": -1, "max": 8}},
        {"workers": {"min": 1, "max": 10_001}},
        {"workers": {"min": "1", "max": 8}},
        {"cache": {"min": 9}},
        {"cache": {"delivery": "unknown"}},
        {"name": "Agents!"},
        {"memory": {"headroom": 0.9}},
        {"objective": {"percentile": 100}},
        {"behaviour": {"drain": 60}},
        {"wrokers": 3},
        {"workers": {"min": 1, "max": 8, "slots": {"nexus": 3}}},
    ],
    ids=json.dumps,
)
def test_the_schema_refuses_what_the_door_refuses(change: dict[str, Any]) -> None:
    schema = Draft202012Validator(fleet_file_schema())

    assert schema.is_valid(FLEET)
    assert schema.is_valid({"fleets": [FLEET, FLEET]})
    assert not schema.is_valid({**FLEET, **change})
    assert not schema.is_valid({"fleets": [{**FLEET, **change}]})


def test_a_mixture_of_one_fleet_and_several_is_refused() -> None:
    assert not Draft202012Validator(fleet_file_schema()).is_valid({**FLEET, "fleets": [FLEET]})


def test_the_keys_at_a_place_are_those_of_the_model_there() -> None:
    assert keys_at(Fleet, ("workers", "slots")) == ("workflow", "activity")
    assert keys_at(Fleet, ("task_queues", 0)) == ("name", "types", "share")
    assert keys_at(Fleet, ("cache", "configmap")) == ("name", "key")
    assert keys_at(Fleet, ("name",)) == ()
