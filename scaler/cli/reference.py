"""Pages of docs/ that list everything of a kind: keys of what people write, and the words that this product answers in.

They are made from the models and sentences themselves, so they can't fall behind; a test keeps the files current.
"""

import inspect
import string
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from typing import Any, Final

from pydantic import BaseModel

from scaler.cli.configuration import Configuration
from scaler.cli.schemas import Schema, closed_schema
from scaler.fleet import Fleet
from scaler.wire.units import format_duration, parse_duration
from scaler.words.wording import CONSTRAINTS, MODES, REASONS


class Page(StrEnum):
    """A page of docs/ that is made here."""

    FLEET = "fleet"
    CONFIGURATION = "configuration"
    WORDS = "words"


MADE: Final = "<!-- Made by `make reference`; change the models or the sentences, not this page. -->"


def page_text(page: Page) -> str:
    """The page as its file in docs/ has it."""
    made: Mapping[Page, Callable[[], Iterator[str]]] = {
        Page.FLEET: _fleet,
        Page.CONFIGURATION: _configuration,
        Page.WORDS: _words,
    }
    return "\n".join([MADE, "", *made[page]()]) + "\n"


def _fleet() -> Iterator[str]:
    yield from (
        "# All keys of a fleet",
        "",
        "What `temporal-scaler apply` takes, as YAML or JSON, and what `temporal workflow start` takes as JSON.",
        "Several fleets of one file stand in a list under `fleets`. Durations are written `30s`, `5m`, `1h30m`,",
        "`200ms` or in ISO 8601; sizes `512Mi`, `2Gi` or in plain bytes. Editors check a file with",
        "[fleet.schema.json](../deploy/fleet.schema.json).",
        "",
    )
    yield from _keys_of(Fleet)


def _configuration() -> Iterator[str]:
    yield from (
        "# All keys of the controller's configuration",
        "",
        "What `temporal-scaler run` reads once, when it starts: restart it after a change. Editors check a file with",
        "[configuration.schema.json](../deploy/configuration.schema.json).",
        "",
    )
    yield from _keys_of(Configuration)


def _keys_of(model: type[BaseModel]) -> Iterator[str]:
    """A table for each mapping of the model, the outermost first, in the order in which keys lead to them."""
    schema = closed_schema(model)
    left: deque[tuple[str, Schema]] = deque([("", schema)])
    while left:
        path, part = left.popleft()
        yield from _table(f"`{path}`" if path else model.__name__, part, schema)
        below = [(f"{path}.{key}".lstrip("."), found) for key, found in _mappings_below(part, schema)]
        left.extendleft(reversed(below))


def _table(title: str, part: Schema, schema: Schema) -> Iterator[str]:
    yield from (f"## {title}", "", _one_line(part.get("description", "")), "")
    yield from ("| key | takes | default | meaning |", "|---|---|---|---|")
    required = part.get("required", ())
    for key, field in part["properties"].items():
        default = "**needed**" if key in required else _default(field)
        yield f"| `{key}` | {_takes(field, schema)} | {default} | {_one_line(_meaning(field, schema))} |"
    yield ""


def _mappings_below(part: Schema, schema: Schema) -> Iterator[tuple[str, Schema]]:
    for key, field in part["properties"].items():
        for kind in _kinds(field):
            shapes = (
                (key, kind),
                (f"{key}[]", kind.get("items", {})),
                (f"{key}.<name>", kind.get("additionalProperties", {})),
            )
            for path, shape in shapes:
                found = _resolved(shape, schema) if isinstance(shape, dict) else {}
                if "properties" in found:
                    yield path, found


def _kinds(field: Schema) -> list[Schema]:
    """The alternatives of a field but null, which stands for the default."""
    return [kind for kind in field.get("anyOf", [field]) if kind.get("type") != "null"]


def _resolved(kind: Schema, schema: Schema) -> Schema:
    reference = kind.get("$ref")
    found: Schema = schema["$defs"][reference.rpartition("/")[2]] if reference is not None else kind
    return found


def _takes(field: Schema, schema: Schema) -> str:
    return " or ".join(dict.fromkeys(_kind(kind, schema) for kind in _kinds(field)))


def _kind(kind: Schema, schema: Schema) -> str:
    found = _resolved(kind, schema)
    if "enum" in found:
        return ", ".join(f"`{value}`" for value in found["enum"] if value != "unknown")
    if "properties" in found:
        return "an object, below"
    if found.get("type") == "array":
        return f"a list of: {_kind(found['items'], schema)}" if "items" in found else "a list"
    if found.get("type") == "object":
        below = found.get("additionalProperties", {})
        return f"by name: {_kind(below, schema)}" if isinstance(below, dict) else "an object"
    if examples := found.get("examples"):
        return " or ".join(f"`{example}`" for example in examples[:2])
    return f"{_TYPES.get(found.get('type', ''), found.get('type', 'anything'))}{_limits(found)}"


_TYPES = {"integer": "a whole number", "number": "a number", "string": "a text", "boolean": "true or false"}


def _limits(found: Schema) -> str:
    words = (("minimum", "≥"), ("exclusiveMinimum", ">"), ("maximum", "≤"))
    limits = [f"{sign} {found[word]:,}".replace(",", " ") for word, sign in words if word in found]
    return f" ({', '.join(limits)})" if limits else ""


def _default(field: Schema) -> str:
    default = field.get("default")
    if default is None or isinstance(default, dict):
        return "–"
    if isinstance(default, str) and default.startswith("PT"):
        return f"`{format_duration(parse_duration(default))}`"
    if isinstance(default, list):
        return ", ".join(f"`{each}`" for each in default) or "none"
    return f"`{default}`"


def _meaning(field: Schema, schema: Schema) -> str:
    """What is said of the key itself, else of the kind of value that it takes."""
    said = field.get("description")
    return said or next((_resolved(kind, schema).get("description", "") for kind in _kinds(field)), "")


def _words() -> Iterator[str]:
    yield from (
        "# The words of an answer",
        "",
        "What `list`, `status`, `explain`, the decision log and the Web UI call things, under the names that JSON has.",
        "",
        "## Modes: what a fleet is in",
        "",
        "The first of several that hold is shown.",
        "",
        "| mode | what it says |",
        "|---|---|",
    )
    yield from (f"| `{mode}` | {_sentence(sentence)} |" for mode, sentence in MODES.items())
    yield from (
        "",
        "## Bounds: why a number is not higher or lower",
        "",
        "Each decision names one for the workers and one for the cache.",
        "",
        "| bound | it has so many workers because … | each cache holds so many because … | what would change it |",
        "|---|---|---|---|",
    )
    for bound, because in CONSTRAINTS.items():
        yield f"| `{bound}` | {_sentence(because.workers)} | {_sentence(because.cache)} | {_sentence(because.change)} |"
    yield from ("", "## Reasons: what took part", "", "| reason | what it says |", "|---|---|")
    yield from (f"| `{reason}` | {_sentence(sentence)} |" for reason, sentence in REASONS.items())


def _sentence(text: str) -> str:
    """A sentence with the names of its facts where the answer has the facts."""
    parts = string.Formatter().parse(text)
    return _one_line("".join(said + (f"*{fact.replace('_', ' ')}*" if fact else "") for said, fact, _, _ in parts))


def _one_line(text: Any) -> str:
    return " ".join(inspect.cleandoc(str(text)).split()).replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(page_text(Page(sys.argv[1])))
