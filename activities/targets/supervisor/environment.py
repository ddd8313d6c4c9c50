"""What a supervisor and its workers inherit: enough to run a program, none of the controller's credentials."""

from collections.abc import Mapping
from typing import Final

_BASE: Final = (
    "HOME",
    "LANG",
    "LANGUAGE",
    "LC_ALL",
    "LC_CTYPE",
    "LOGNAME",
    "PATH",
    "SHELL",
    "TMPDIR",
    "TZ",
    "USER",
)
_PYTHON: Final = ("LD_LIBRARY_PATH", "PYTHONHOME", "PYTHONPATH")
"""What a Python may need to find itself and this product; a worker gets them only from its definition."""


def base_environment(outer: Mapping[str, str], *, with_python: bool = False) -> dict[str, str]:
    """The part of an environment that is passed on unasked."""
    names = (*_BASE, *_PYTHON) if with_python else _BASE
    return {name: outer[name] for name in names if name in outer}
