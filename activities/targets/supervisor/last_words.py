"""What a worker wrote last, fit to be shown: one line, bounded, without control characters and without its secrets."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

LONGEST: Final = 200
_TAIL_BYTES: Final = 4096
_ESCAPES: Final = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_SECRET_NAME: Final = re.compile(r"KEY|TOKEN|SECRET|PASS|CREDENTIAL|AUTH|DSN|URL", re.IGNORECASE)


def last_line(log: Path, environment: Mapping[str, str]) -> str:
    """The last line with something in it; empty where there is none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - _TAIL_BYTES))
            text = file.read(_TAIL_BYTES).decode(errors="replace")
    except OSError:
        return ""
    lines = (shown(line, environment) for line in reversed(re.split(r"[\r\n]+", text)))
    return next((line for line in lines if line), "")


def shown(line: str, environment: Mapping[str, str]) -> str:
    """A line as it may leave this machine: values of variables that are named like secrets are not in it."""
    for name, text in environment.items():
        if text and _SECRET_NAME.search(name):
            line = line.replace(text, "***")
    plain = "".join(character for character in _ESCAPES.sub("", line) if character.isprintable()).strip()
    return plain if len(plain) <= LONGEST else f"{plain[: LONGEST - 1]}…"
