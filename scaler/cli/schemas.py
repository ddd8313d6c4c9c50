"""The JSON Schemas of what people write by hand, from the models that read it, and the keys that they allow.

`deploy/fleet.schema.json` and `deploy/configuration.schema.json` are what is printed here; a test keeps them current.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from scaler.cli.configuration import Configuration
from scaler.door import Path as KeyPath
from scaler.fleet import Fleet

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def fleet_file_schema() -> Schema:
    """A file for `apply` and `validate`: one fleet, or several under `fleets`."""
    fleet = closed_schema(Fleet)
    parts = fleet.pop("$defs")
    several = {
        "type": "object",
        "properties": {"fleets": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/Fleet"}}},
        "required": ["fleets"],
        "additionalProperties": False,
    }
    return {
        "$schema": DIALECT,
        "title": "A fleet of Temporal workers, or several under fleets",
        "if": {"required": ["fleets"]},
        "then": several,
        "else": {"$ref": "#/$defs/Fleet"},
        "$defs": {**parts, "Fleet": fleet},
    }


def configuration_schema() -> Schema:
    """The controller's own configuration, for `run`."""
    return {"$schema": DIALECT, **closed_schema(Configuration), "title": "Configuration of a controller"}


def closed_schema(model: type[BaseModel]) -> Schema:
    """A model's schema as the door reads it: no other keys. Titles that only repeat a key are left out."""
    schema = model.model_json_schema()
    for part in (schema, *schema.get("$defs", {}).values()):
        for field in part.get("properties", {}).values():
            field.pop("title", None)
        if "properties" in part:
            part["additionalProperties"] = False
    return schema


def keys_at(model: type[BaseModel], path: KeyPath) -> tuple[str, ...]:
    """The keys that a model allows in the mapping at this path; none where there is no mapping of fixed keys."""
    schema = model.model_json_schema()
    found: list[Mapping[str, Any]] = [schema]
    for part in path:
        found = [below for each in _meanings(schema, found) for below in _below(each, part)]
    return tuple(key for each in _meanings(schema, found) for key in each.get("properties", {}))


def _meanings(schema: Schema, parts: list[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for part in parts:
        if "$ref" in part:
            yield from _meanings(schema, [schema["$defs"][part["$ref"].rpartition("/")[2]]])
        elif "anyOf" in part:
            yield from _meanings(schema, part["anyOf"])
        else:
            yield part


def _below(schema: Mapping[str, Any], part: str | int) -> Iterator[Mapping[str, Any]]:
    if isinstance(part, int):
        below = schema.get("items")
    else:
        below = schema.get("properties", {}).get(part, schema.get("additionalProperties"))
    if isinstance(below, Mapping):
        yield below
