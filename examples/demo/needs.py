"""What a demo needs beside the product itself, looked for before anything is started."""

import importlib
from contextlib import suppress
from importlib.util import find_spec
from types import ModuleType

from scaler.cli.exits import CommandFailed, Exit

_NEEDED = {
    "matplotlib": "It draws the picture: install the extra demo, or run make demo in a checkout.",
}


def needing(module: str) -> ModuleType:
    """The module that shows a demo, which can only be loaded where all that it needs is there."""
    for needed, remedy in _NEEDED.items():
        see(needed, remedy)
    return importlib.import_module(module)


def see(module: str, remedy: str) -> None:
    """Raise with the remedy where a module can't be imported."""
    with suppress(ModuleNotFoundError):
        if find_spec(module) is not None:
            return
    raise CommandFailed(Exit.REFUSED, f"the demo needs {module}, which can't be imported", remedy)
