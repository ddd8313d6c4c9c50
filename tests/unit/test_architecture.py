"""The plan of the house as a test: what the pure core may import and may not call."""

import ast
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OUTER_ROOMS = {"cli", "simulation"}
CORE = [
    path
    for path in sorted((ROOT / "scaler").rglob("*.py"))
    if not OUTER_ROOMS & set(path.relative_to(ROOT / "scaler").parts)
]
DURABLE = sorted((ROOT / "workflows").rglob("*.py"))
ALL = [
    path
    for room in ("scaler", "workflows", "activities", "devserver", "examples")
    for path in sorted((ROOT / room).rglob("*.py"))
]

PURE_IMPORTS = {
    "bisect", "collections", "dataclasses", "datetime", "enum", "functools", "itertools", "json", "math", "operator",
    "pydantic", "pydantic_core", "re", "scaler", "statistics", "typing",
}  # fmt: skip
CLOCKS = {"now", "utcnow", "today", "time", "monotonic", "perf_counter"}
BANNED_WORDS = {"manager", "helper", "util", "utils", "engine", "data", "process", "handler", "service"}


def _imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.split(".")[0]


def _calls(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield node.func.attr


@pytest.mark.parametrize("path", CORE, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_core_imports_values_only(path: Path) -> None:
    assert set(_imports(ast.parse(path.read_text()))) <= PURE_IMPORTS


def test_every_room_has_its_place_in_the_layers() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(each["layers"] for each in contracts if each["type"] == "layers")
    rooms = {path.relative_to(ROOT).with_suffix("").parts for path in ALL if path.name != "__init__.py"}
    named = {layer.strip() for each in layers for layer in each.split("|")}

    assert named == {".".join(parts[:2]) if parts[0] == "scaler" else parts[0] for parts in rooms}


def test_no_two_files_of_the_core_share_a_name_or_take_one_of_the_standard_library() -> None:
    names = Counter(path.stem for path in CORE if path.name != "__init__.py")

    assert {name for name, files in names.items() if files > 1 or name in sys.stdlib_module_names} == set()


@pytest.mark.parametrize("path", CORE, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_core_reads_no_clock(path: Path) -> None:
    assert not CLOCKS & set(_calls(ast.parse(path.read_text())))


@pytest.mark.parametrize("path", DURABLE, ids=lambda path: str(path.relative_to(ROOT)))
def test_workflows_know_only_the_time_of_their_workflow(path: Path) -> None:
    """The controller runs them outside the sandbox, which would stop them."""
    tree = ast.parse(path.read_text())
    of_others = {
        node.func.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and not (isinstance(node.func.value, ast.Name) and node.func.value.id == "workflow")
    }

    assert not CLOCKS & of_others
    assert not {"random", "os", "time", "uuid", "secrets", "socket"} & set(_imports(tree))


@pytest.mark.parametrize("path", ALL, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_opens_by_saying_what_it_promises(path: Path) -> None:
    source = path.read_text()
    assert not source.strip() or ast.get_docstring(ast.parse(source))


@pytest.mark.parametrize("path", ALL, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_part_is_named_by_a_word_that_says_nothing(path: Path) -> None:
    assert not BANNED_WORDS & set(path.stem.split("_"))
