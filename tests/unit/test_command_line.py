"""The command line without a server: what it offers, how it ends, and what it says of mistakes."""

import json
import re
from pathlib import Path

import pytest

from scaler.cli import main
from scaler.cli.exits import MEANINGS, Exit
from scaler.cli.main import COMMANDS, carry_out
from scaler.cli.options import DEBUG_VARIABLE

ROOT = Path(__file__).parents[2]
SECRET = "do-not-tell-anybody"  # noqa: S105 (it is none)
NOBODY = ("--address", "127.0.0.1:1", "--disable-config-file", "--disable-config-env")

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def fleet_file(tmp_path: Path) -> str:
    file = tmp_path / "fleet.yaml"
    file.write_text(
        "name: agents\ntarget: {kind: local, name: agents}\ntask_queues: [{name: agents}]\nworkers: {min: 1, max: 8}\n"
    )
    return str(file)


def test_every_command_is_in_the_list_with_a_sentence(capsys: Captured) -> None:
    assert carry_out([]) is Exit.OK

    listed = capsys.readouterr().out
    assert all(re.search(rf"^  {name}: [A-Z].*\.$", listed, re.MULTILINE) for name in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str, capsys: Captured) -> None:
    assert carry_out([command, "--help"]) is Exit.OK
    assert carry_out(["help", command]) is Exit.OK

    once, again = capsys.readouterr().out.split(f"Usage: temporal-scaler {command}")[1:]
    assert once == again


def test_every_exit_status_has_a_meaning_and_stands_in_the_documentation() -> None:
    table = (ROOT / "docs" / "command-line.md").read_text()

    assert set(MEANINGS) == set(Exit)
    assert all(f"| {status.value} | {meaning} |" in table for status, meaning in MEANINGS.items())


def test_every_command_stands_in_the_documentation() -> None:
    text = (ROOT / "docs" / "command-line.md").read_text()

    assert all(f"`{command}" in text for command in COMMANDS)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("lst", 'Unknown command "lst". Did you mean "list"?'),
        ("status", 'Command "status" parameter FLEET requires an argument.'),
        ("status a b", "Unused Tokens"),
        ("status a --watc", "Unknown option: --watc. Did you mean --watch?"),
        ("list --output xml", "Invalid value"),
        ("pause a", 'Command "pause" parameter --reason requires an argument.'),
        ("pause a --reason x --for soon", "a duration is written 30s, 5m, 1h30m, 200ms or in ISO 8601 (PT30S)"),
        ("override a --for 5m --reason x", "override needs --workers, --cache or both"),
        ("override a --workers 3", "override needs --for and --reason"),
        ("apply", 'Command "apply" parameter --file requires an argument.'),
        ("validate", "nothing to validate"),
        ("apply pets.yaml", "Did you mean temporal-scaler apply -f pets.yaml? See temporal-scaler apply --help."),
        ("list --address http://127.0.0.1:7233", "is HOST:PORT, found http://127.0.0.1:7233\nLeave the scheme away"),
        ("list --profile nope", "Profile 'nope' not found"),
    ],
)
def test_a_command_line_that_can_not_be_understood(arguments: str, expected: str, capsys: Captured) -> None:
    assert carry_out(arguments.split()) is Exit.USAGE

    captured = capsys.readouterr()
    assert expected in captured.err
    assert captured.err.count("\n") <= 2
    assert captured.out == ""


def test_a_good_file_is_good(fleet_file: str, capsys: Captured) -> None:
    assert carry_out(["validate", "-f", fleet_file]) is Exit.OK
    assert capsys.readouterr().out == "agents: good\n"


def test_a_bad_file_is_told_line_by_line_and_for_programs(tmp_path: Path, capsys: Captured) -> None:
    file = tmp_path / "fleet.yaml"
    file.write_text("name: agents\nwrokers: 3\n" + "x" * 300 + ": 1\n")

    assert carry_out(["validate", "-f", str(file)]) is Exit.REFUSED
    lines = capsys.readouterr().out.splitlines()
    assert carry_out(["validate", "-f", str(file), "--output", "json"]) is Exit.REFUSED
    found = json.loads(capsys.readouterr().out)

    assert len(lines) == 5
    assert lines[3].startswith(f"{file}:2: wrokers: no such key; allowed here: name, target")
    assert len(lines[4]) > 300  # nothing is wrapped
    assert found["fleets"] == []
    assert found["mistakes"][3] == {
        "file": str(file),
        "line": 2,
        "path": "wrokers",
        "message": lines[3].partition(": wrokers: ")[2],
    }


def test_a_configuration_is_validated_too(tmp_path: Path, capsys: Captured) -> None:
    file = tmp_path / "temporal-scaler.yaml"
    file.write_text("targets:\n  local:\n    a: {command: []}\n")

    assert carry_out(["validate", "--configuration", str(file)]) is Exit.REFUSED
    assert f"{file}:3: targets.local.a.command" in capsys.readouterr().out


def test_nothing_is_sent_while_any_file_is_bad(fleet_file: str, tmp_path: Path, capsys: Captured) -> None:
    """The server is not even looked for."""
    assert carry_out(["apply", "-f", fleet_file, "-f", str(tmp_path / "nope.yaml"), *NOBODY]) is Exit.REFUSED
    assert capsys.readouterr().err == f"{tmp_path}/nope.yaml: can't be read: No such file or directory\n"


@pytest.mark.parametrize(
    "arguments",
    [
        *("list", "status agents", "decisions agents", "explain agents", "resume agents", "stop agents"),
        *("pause agents --reason x", "override agents --clear"),
    ],
)
def test_without_a_server_a_command_says_so_in_two_lines(arguments: str, capsys: Captured) -> None:
    assert carry_out([*arguments.split(), *NOBODY]) is Exit.UNREACHABLE

    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [
        "no Temporal server at 127.0.0.1:1: nothing listens there",
        "The address is from --address; check it, and the TLS settings.",
    ]


def test_the_version_is_told_without_a_server_too(capsys: Captured) -> None:
    assert carry_out(["version", *NOBODY, "-o", "json"]) is Exit.OK

    found = json.loads(capsys.readouterr().out)
    assert found["server"] is None
    assert found["problem"] == "no Temporal server at 127.0.0.1:1: nothing listens there"
    assert re.fullmatch(r"\d+\.\d+\.\d+", found["temporal_scaler"])


def test_a_traceback_is_shown_only_if_asked_for_and_never_with_a_secret(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["list", *NOBODY, "--api-key", SECRET, "--grpc-meta", f"authorization={SECRET}"]

    carry_out(arguments)
    plain = capsys.readouterr().err
    carry_out([*arguments, "--debug"])
    asked = capsys.readouterr().err
    monkeypatch.setenv(DEBUG_VARIABLE, "1")
    carry_out(arguments)
    by_variable = capsys.readouterr().err

    assert "Traceback" not in plain
    assert "Traceback" in asked
    assert "Traceback" in by_variable
    assert SECRET not in plain + asked + by_variable


@pytest.mark.parametrize("mistake", ["--api-key", "--apikey", "--grpc-meta"])
def test_a_mistyped_secret_is_not_repeated(mistake: str, capsys: Captured) -> None:
    carry_out(["list", f"{mistake}={SECRET}", f"{mistake}={SECRET}", "--nope"])

    assert SECRET not in capsys.readouterr().err


def test_a_schema_is_printed(capsys: Captured) -> None:
    assert carry_out(["schema"]) is Exit.OK
    assert "A fleet of Temporal workers" in json.loads(capsys.readouterr().out)["title"]
    assert carry_out(["schema", "configuration"]) is Exit.OK
    assert "targets" in json.loads(capsys.readouterr().out)["properties"]


def test_a_new_command_needs_one_line() -> None:
    """And nothing else knows their names."""
    source = Path(main.__file__).read_text()

    assert all(source.count(f'"{path}"') == 1 for path in COMMANDS.values())
