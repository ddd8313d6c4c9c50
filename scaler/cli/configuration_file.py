"""Finds the controller's configuration file and reads it strictly."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from scaler.cli.configuration import APPLICATION, Configuration, LocalTargetConfiguration
from scaler.cli.declared_file import FileRefused, read_declared_file
from scaler.cli.exits import CommandFailed, Exit
from scaler.cli.fleet_file import clearer
from scaler.door import Refused, read_declared

VARIABLE = "TEMPORAL_SCALER_CONFIGURATION"
FILE_NAME = "temporal-scaler.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where a configuration file is looked for when none is named."""

    environment: Mapping[str, str]
    user: Path
    here: Path

    @classmethod
    def of_user(cls, environment: Mapping[str, str]) -> "Places":
        """The places of whoever runs this."""
        return cls(
            environment=environment,
            user=platformdirs.user_config_path(APPLICATION) / FILE_NAME,
            here=Path.cwd() / FILE_NAME,
        )

    def configuration_file(self, given: Path | None) -> Path:
        """The file that was named, by option or variable; else the user's own, else the one in this directory."""
        if given is not None:
            return given
        if named := self.environment.get(VARIABLE):
            return Path(named)
        for place in (self.user, self.here):
            if place.is_file():
                return place
        raise CommandFailed(
            Exit.REFUSED,
            f"no configuration: there is neither {self.user} nor {self.here}",
            f"Name one with --configuration or {VARIABLE}; docs/command-line.md shows one.",
        )


def read_configuration(path: Path) -> Configuration:
    """Read it, relative directories taken from where the file is; raise `FileRefused` with every mistake in it."""
    document = read_declared_file(path)
    try:
        read = read_declared(Configuration, document.value)
    except Refused as refused:
        raise FileRefused(document.mistake(clearer(Configuration, problem)) for problem in refused.problems) from None
    base = path.absolute().parent
    groups = {name: _placed(group, base) for name, group in read.targets.local.items()}
    targets = read.targets.model_copy(update={"local": groups})
    return read.model_copy(update={"targets": targets, "state_directory": _from(base, read.state_directory)})


def _placed(group: LocalTargetConfiguration, base: Path) -> LocalTargetConfiguration:
    return group.model_copy(update={"directory": _from(base, group.directory)})


def _from(base: Path, path: Path) -> Path:
    return (base / path.expanduser()).resolve()
