"""Where the controller's configuration is found, and how it is read."""

from datetime import timedelta
from pathlib import Path

import pytest

from scaler.cli.composition import local_group
from scaler.cli.configuration_file import FILE_NAME, VARIABLE, Places, read_configuration
from scaler.cli.declared_file import FileRefused
from scaler.cli.exits import CommandFailed

CONFIGURATION = """
targets:
  local:
    agents:
      command: [python, -m, worker]
      directory: ../agents
      environment: {QUEUE: agents}
      memory_limit: 256Mi
      restart_back_off: 2s
state_directory: state
"""


def places(folder: Path, **environment: str) -> Places:
    return Places(environment=environment, user=folder / "user" / FILE_NAME, here=folder / FILE_NAME)


def test_a_named_file_outranks_the_variable_the_users_own_and_the_one_in_this_directory(tmp_path: Path) -> None:
    everywhere = places(tmp_path, **{VARIABLE: "from-variable.yaml"})
    elsewhere = places(tmp_path)
    (tmp_path / "user").mkdir()
    for file in (elsewhere.user, elsewhere.here):
        file.touch()

    assert everywhere.configuration_file(Path("named.yaml")) == Path("named.yaml")
    assert everywhere.configuration_file(None) == Path("from-variable.yaml")
    assert elsewhere.configuration_file(None) == elsewhere.user
    elsewhere.user.unlink()
    assert elsewhere.configuration_file(None) == elsewhere.here


def test_without_any_file_all_places_are_named(tmp_path: Path) -> None:
    with pytest.raises(CommandFailed) as failed:
        places(tmp_path).configuration_file(None)

    told = str(failed.value)
    assert all(place in told for place in (str(tmp_path / "user"), str(tmp_path / FILE_NAME), VARIABLE))


def test_directories_are_taken_from_where_the_file_is(tmp_path: Path) -> None:
    file = tmp_path / "etc" / FILE_NAME
    file.parent.mkdir()
    file.write_text(CONFIGURATION)

    configuration = read_configuration(file)

    assert configuration.targets.local["agents"].directory == tmp_path / "agents"
    assert configuration.state_directory == tmp_path / "etc" / "state"


def test_a_local_target_becomes_what_its_supervisor_runs(tmp_path: Path) -> None:
    file = tmp_path / FILE_NAME
    file.write_text(CONFIGURATION)

    group = local_group(read_configuration(file).targets.local["agents"])

    assert group.command == ("python", "-m", "worker")
    assert group.environment == {"QUEUE": "agents"}
    assert group.memory_limit_bytes == 256 * 2**20
    assert group.supervision.back_off.initial_seconds == timedelta(seconds=2).total_seconds()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("256Mi", "much"), ":8: targets.local.agents.memory_limit: a size is written 512Mi"),
        (("command: [python, -m, worker]", "command: []"), ":5: targets.local.agents.command: "),
        (
            ("directory:", "folder:"),
            ":6: targets.local.agents.folder: no such key; allowed here: command, directory, environment, memory_limit",
        ),
        (("targets:", "target:"), ":2: target: no such key; allowed here: targets, connections, calls_per_second"),
        (("QUEUE: agents", "QUEUE: 3"), ":7: targets.local.agents.environment.QUEUE: must be a valid string, found 3"),
    ],
)
def test_a_mistake_gets_its_line_and_what_is_allowed(tmp_path: Path, change: tuple[str, str], expected: str) -> None:
    file = tmp_path / FILE_NAME
    file.write_text(CONFIGURATION.replace(*change))

    with pytest.raises(FileRefused) as refused:
        read_configuration(file)

    assert expected in str(refused.value)
