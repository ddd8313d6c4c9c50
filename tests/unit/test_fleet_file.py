"""Fleet files: one fleet or several, and every mistake with its file, line and key."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from scaler.cli.declared_file import FileRefused
from scaler.cli.fleet_file import read_fleets

FLEET = """
name: {name}
target: {{kind: local, name: {name}}}
task_queues:
  - name: {name}
workers:
  min: 1
  max: 8
"""


def file(folder: Path, text: str, name: str = "fleet.yaml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def mistakes(folder: Path, *files: Path) -> Sequence[str]:
    with pytest.raises(FileRefused) as refused:
        read_fleets(files)
    return [str(mistake).removeprefix(f"{folder}/") for mistake in refused.value.mistakes]


def test_a_file_with_one_fleet(tmp_path: Path) -> None:
    text = (
        FLEET.format(name="orders") + "behaviour: {drain: 1h30m}\nmemory: {limit: 512Mi}\nobjective: {activity: PT2S}\n"
    )

    (fleet,) = read_fleets([file(tmp_path, text)])

    assert fleet.name == "orders"
    assert fleet.fleet.behaviour.drain == timedelta(hours=1, minutes=30)
    assert fleet.fleet.objective.activity == timedelta(seconds=2)
    assert fleet.fleet.memory.limit == 512 * 2**20


def test_a_fleet_is_sent_as_it_was_declared(tmp_path: Path) -> None:
    """Defaults that are filled in here would be declared objectives for tasks that nobody polls for."""
    text = FLEET.format(name="orders").replace("- name: orders", "- {name: orders, types: [activity]}")

    (fleet,) = read_fleets([file(tmp_path, text)])

    assert set(fleet.declared) == {"name", "target", "task_queues", "workers"}


def test_several_fleets_in_several_files(tmp_path: Path) -> None:
    several = "fleets:\n" + "".join(
        "  -" + FLEET.format(name=name).replace("\n", "\n    ")[4:].rstrip() + "\n" for name in ("a", "b")
    )

    fleets = read_fleets([file(tmp_path, several), file(tmp_path, FLEET.format(name="c"), "c.yaml")])

    assert [fleet.name for fleet in fleets] == ["a", "b", "c"]


def test_json_is_read_too(tmp_path: Path) -> None:
    text = """{
\t"name": "a", "target": {"kind": "local", "name": "a"},
\t"task_queues": [{"name": "a"}],
\t"workers": {"min": 3, "max": 2}
}"""

    assert mistakes(tmp_path, file(tmp_path, text, "fleet.json")) == [
        "fleet.json:4: workers.min: must be at most workers.max (2), found 3"
    ]


def test_every_mistake_of_every_file_is_told_from_top_to_bottom(tmp_path: Path) -> None:
    wrong = file(tmp_path, FLEET.format(name="A!").replace("max: 8", "max: 0\n  slot: 3") + "cache: {min: 3}\n")
    empty = file(tmp_path, "", "empty.yaml")

    assert mistakes(tmp_path, wrong, empty) == [
        'fleet.yaml:2: name: must be lower-case letters, digits and inner dashes, 63 at most, found "A!"',
        "fleet.yaml:8: workers.max: must be at least 1, found 0",
        "fleet.yaml:9: workers.slot: no such key; allowed here: min, max, reserve, slots, caches, price",
        "fleet.yaml:10: cache.min: must be at least 10, found 3",
        "empty.yaml: the file is empty",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("orders\n", 'fleet.yaml:1: must be an object such as {name: …}, found "orders"'),
        ("fleets: 3\n", "fleet.yaml:1: fleets: must be a list with at least one fleet"),
        ("fleets: []\n", "fleet.yaml:1: fleets: must be a list with at least one fleet"),
        ("fleets:\n  - 3\n", "fleet.yaml:2: fleets[0]: must be an object such as {name: …}, found 3"),
        ("name: a\nworkers: {}\n", "fleet.yaml:2: workers.min: is required"),
        ("name: a\nworkers: {}\n", "fleet.yaml:1: task_queues: is required"),
    ],
)
def test_what_is_no_fleet_is_refused_at_its_place(tmp_path: Path, text: str, expected: str) -> None:
    assert expected in mistakes(tmp_path, file(tmp_path, text))


def test_keys_beside_the_list_of_fleets_are_refused(tmp_path: Path) -> None:
    text = "defaults: {}\nfleets:\n  -" + FLEET.format(name="a").replace("\n", "\n    ")[4:]

    assert mistakes(tmp_path, file(tmp_path, text)) == [
        "fleet.yaml:1: defaults: no such key beside fleets; allowed here: fleets"
    ]


def test_a_name_that_is_declared_twice_names_both_places(tmp_path: Path) -> None:
    first = file(tmp_path, FLEET.format(name="a"))
    second = file(tmp_path, "\n" + FLEET.format(name="a"), "again.yaml")

    (told,) = mistakes(tmp_path, first, second)

    assert told == f"again.yaml:3: name: a is declared twice, first in {tmp_path}/fleet.yaml:2"


def test_a_declaration_that_no_workflow_takes_is_refused_here(tmp_path: Path) -> None:
    text = FLEET.format(name="a") + f"signals: {{history_queues: [{'q' * 70_000}]}}\n"

    (told,) = mistakes(tmp_path, file(tmp_path, text))

    assert "must be at most 65536 bytes as JSON, found 70" in told
