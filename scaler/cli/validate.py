"""`validate`: reads files as `apply` and `run` would, without a server."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from scaler.cli.configuration_file import read_configuration
from scaler.cli.declared_file import FileRefused, Mistake
from scaler.cli.exits import CommandFailed, Exit
from scaler.cli.fleet_file import read_fleets
from scaler.cli.options import SHOWN, Output
from scaler.cli.screen import Screen
from scaler.door import key_path

Files = Annotated[tuple[Path, ...], Parameter(name=["--file", "-f"], negative="", show_default=False)]
"""Fleet files; `-f` may be repeated, and `-f -` reads standard input."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MistakeFound:
    """A mistake for programs."""

    file: str
    line: int
    path: str
    message: str

    @classmethod
    def of(cls, mistake: Mistake) -> "MistakeFound":
        """The same with its path as a person writes it."""
        return cls(file=mistake.file, line=mistake.line, path=key_path(mistake.path), message=mistake.message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """What became of all files."""

    fleets: tuple[str, ...]
    mistakes: tuple[MistakeFound, ...]


def validate(*, file: Files = (), configuration: Path | None = None, output: Output = SHOWN) -> Exit:
    """Check fleet files, and a controller's configuration, without a server.

    Every mistake comes out as FILE:LINE: key.path: what was found and what is allowed. What needs the outside (the
    target exists, nobody else scales it, the queue is not shared) is checked by apply.

    Args:
        file: A file with one fleet, or several under fleets; may be repeated, and - reads standard input.
        configuration: A controller's configuration file.
        output: How the answer is written.

    """
    if not file and configuration is None:
        raise CommandFailed(Exit.USAGE, "nothing to validate", "Name a fleet file with -f, or a --configuration.")
    names: tuple[str, ...] = ()
    mistakes: tuple[Mistake, ...] = ()
    try:
        names = tuple(fleet.name for fleet in read_fleets(file))
    except FileRefused as refused:
        mistakes += refused.mistakes
    try:
        if configuration is not None:
            read_configuration(configuration)
    except FileRefused as refused:
        mistakes += refused.mistakes
    _show(Screen(output), names, mistakes)
    return Exit.REFUSED if mistakes else Exit.OK


def _show(screen: Screen, names: tuple[str, ...], mistakes: tuple[Mistake, ...]) -> None:
    if screen.json:
        found = Validation(fleets=names, mistakes=tuple(map(MistakeFound.of, mistakes)))
        screen.document(found, Validation)
        return
    lines = [str(mistake) for mistake in mistakes] or [f"{name}: good" for name in names] or ["good"]
    screen.lines(lines)
