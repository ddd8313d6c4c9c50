"""What a YAML or JSON file says, and what is said of one that is wrong."""

from pathlib import Path
from typing import Any

import pytest

from scaler.cli.declared_file import MAX_FILE_BYTES, DeclaredFile, FileRefused, read_declared_file
from scaler.door import Problem


def read(folder: Path, text: str | bytes) -> DeclaredFile:
    file = folder / "fleet.yaml"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_declared_file(file)


def mistakes(folder: Path, text: str | bytes) -> list[str]:
    with pytest.raises(FileRefused) as refused:
        read(folder, text)
    return [str(mistake).removeprefix(f"{folder}/") for mistake in refused.value.mistakes]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: on\nb: off\nc: yes\nd: 08:00\n", {"a": "on", "b": "off", "c": "yes", "d": "08:00"}),
        ("a: 017\nb: 0o17\nc: 0x1F\nd: -3\n", {"a": 17, "b": 15, "c": 31, "d": -3}),
        ("a: 1.5\nb: 1e3\nc: .5\nd: -.inf\n", {"a": 1.5, "b": 1000.0, "c": 0.5, "d": float("-inf")}),
        ("a: 2026-11-21\nb: 2026-11-21T12:00:00Z\n", {"a": "2026-11-21", "b": "2026-11-21T12:00:00Z"}),
        ("a: ~\nb:\nc: null\nd: ''\n", {"a": None, "b": None, "c": None, "d": ""}),
        ("a: &x [1, 2]\nb: *x\n", {"a": [1, 2], "b": [1, 2]}),
        ("- a\n- b\n", ["a", "b"]),
        ('{\n\t"a": 1,\n\t"b": "\\ud83d\\ude00\\/"\n}', {"a": 1, "b": "😀/"}),
        ("\ufeffa: 1\n", {"a": 1}),
    ],
    ids=[
        "words",
        "integers",
        "numbers",
        "times",
        "nothing",
        "aliases",
        "a list",
        "JSON with tabs",
        "a byte order mark",
    ],
)
def test_a_file_reads_as_json_would(tmp_path: Path, text: str, value: Any) -> None:
    assert read(tmp_path, text).value == value


def test_every_key_and_entry_has_its_line(tmp_path: Path) -> None:
    document = read(tmp_path, "# a fleet\nname: a\nworkers:\n  min: 1\n  max: 2\nqueues:\n  - name: x\n  - name: y\n")

    assert document.line(("workers", "max")) == 5
    assert document.line(("queues", 1, "name")) == 8
    assert document.line(("workers", "reserve")) == 3  # missing: where it would belong
    assert document.line(("nothing", "like", "it")) == 2


def test_a_problem_of_a_part_gets_the_line_and_the_path_of_the_whole(tmp_path: Path) -> None:
    document = read(tmp_path, "fleets:\n  - name: a\n    workers: {min: 3,\n      max: 2}\n")

    mistake = document.mistake(Problem(("workers", "max"), "is too small"), ("fleets", 0))

    assert str(mistake).endswith("fleet.yaml:4: fleets[0].workers.max: is too small")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "fleet.yaml: the file is empty"),
        ("# nothing but words\n", "fleet.yaml: the file is empty"),
        ("a: 1\nb: 2\na: 3\n", "fleet.yaml:3: a: stands twice, first on line 1"),
        ("x:\n  a: 1\n  a: 3\n", "fleet.yaml:3: x.a: stands twice, first on line 2"),
        ('{"a": 1,\n "a": 2}', "fleet.yaml:2: a: stands twice, first on line 1"),
        ("a:\n\tb: 1\n", "fleet.yaml:2: a tab indents this line; YAML is indented with spaces"),
        (
            "a: 1\n---\nb: 2\n",
            "fleet.yaml:2: a second document begins here; one file is one document (several fleets stand under ",
        ),
        ("a: 1\n b: 2\n", "fleet.yaml:2: is neither YAML nor JSON: mapping values are not allowed here"),
        ("a: [1, 2\n", "fleet.yaml:2: is neither YAML nor JSON: while parsing a flow sequence expected ',' or ']'"),
        ("a: 'x\n", "is neither YAML nor JSON: while scanning a quoted scalar found unexpected end of stream"),
        ("a: *b\n", "fleet.yaml:1: is neither YAML nor JSON: found undefined alias 'b'"),
        ("a: !include x\n", "fleet.yaml:1: a: tags are not read, found !include"),
        ("<<: {a: 1}\n", "fleet.yaml:1: merge keys (<<) are not part of YAML 1.2; repeat the keys, or use an alias"),
        ("1: a\n", "fleet.yaml:1: a key must be a text, found 1"),
        ("? [a]\n: 1\n", "fleet.yaml:1: a key must be a text"),
        ("a: &a [*a]\n", "fleet.yaml:1: a[0]: an alias refers to what it is a part of"),
        ("a: b\n\x01", "fleet.yaml:2: holds a character that YAML does not allow"),
        (b"a: b\nc: \xff\n", "fleet.yaml:2: must be UTF-8"),
        ("[" * 3000, "fleet.yaml: is nested too deeply"),
        ("a: 1" + " " * MAX_FILE_BYTES, f"fleet.yaml: must be at most {MAX_FILE_BYTES} bytes"),
    ],
    ids=[
        *("empty", "comments", "a duplicate", "a nested duplicate", "a duplicate in JSON", "a tab", "two documents"),
        *(
            "odd indentation",
            "an open list",
            "an open quote",
            "no such anchor",
            "a tag",
            "a merge key",
            "a number as key",
        ),
        *("a list as key", "an endless alias", "a control character", "not UTF-8", "nesting", "too large"),
    ],
)
def test_a_mistake_is_told_in_one_line_with_its_place(tmp_path: Path, text: str | bytes, expected: str) -> None:
    (told,) = mistakes(tmp_path, text)

    assert expected in told
    assert "\n" not in told


def test_all_duplicates_are_told_at_once(tmp_path: Path) -> None:
    assert len(mistakes(tmp_path, "a: 1\na: 2\nb: !x 1\nb: 2\n")) == 3


def test_aliases_of_aliases_do_not_fill_the_memory(tmp_path: Path) -> None:
    tenfold = "\n".join(f"a{place}: &a{place} [{', '.join([f'*a{place - 1}'] * 10)}]" for place in range(1, 9))

    (told,) = mistakes(tmp_path, f"a0: &a0 [1]\n{tenfold}\n")

    assert "holds more than 100000 values, aliases included" in told


def test_a_file_that_is_not_there_is_told_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(FileRefused, match=r"nowhere\.yaml: can't be read: No such file"):
        read_declared_file(tmp_path / "nowhere.yaml")
    with pytest.raises(FileRefused, match="can't be read: Is a directory"):
        read_declared_file(tmp_path)
