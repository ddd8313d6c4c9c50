"""Log files that stay bounded, also while their writer outlives whoever opened them.

A worker writes to its file itself, so that it goes on when its supervisor ends. Its file is therefore not renamed
but copied and emptied; what a worker writes in between may be lost.
"""

import logging
import os
import shutil
from collections.abc import Collection
from contextlib import suppress
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import BinaryIO, Final

WORKER_LOG_BYTES: Final = 10 * 2**20
"""Of one worker's newest output, and as much again of what came before."""

ENDED_LOGS_KEPT: Final = 20
"""Of workers that are gone, the newest."""

_SUPERVISOR_LOG_BYTES: Final = 2**20

_logger = logging.getLogger(__name__)


def open_private(path: Path, more: int = 0) -> BinaryIO:
    """Open a file to append to, which only this user may read: output may hold what its users said."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | more, 0o600), "ab")


def log_to(path: Path) -> None:
    """Have this process log to a rotating file."""
    rotating = RotatingFileHandler(path, maxBytes=_SUPERVISOR_LOG_BYTES, backupCount=2)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", handlers=[rotating])


def tidy(folder: Path, living: Collection[str], limit_bytes: int = WORKER_LOG_BYTES) -> None:
    """Rotate the logs of living workers that have grown too large, and remove the oldest of those that are gone."""
    logs = [(path.stat().st_mtime, path) for path in folder.glob("w-*.log")]
    for _, path in logs:
        if path.stem in living and path.stat().st_size > limit_bytes:
            _rotate(path, limit_bytes)
    ended = sorted((changed, path) for changed, path in logs if path.stem not in living)
    for _, path in ended[:-ENDED_LOGS_KEPT]:
        _older(path).unlink(missing_ok=True)
        path.unlink()


def _older(path: Path) -> Path:
    return path.with_suffix(".log.1")


def _rotate(path: Path, limit_bytes: int) -> None:
    """Keep the end of the file beside it, and empty it; its writer appends and does not notice."""
    older = _older(path)
    try:
        with path.open("rb") as file, open_private(older, os.O_TRUNC) as kept:
            file.seek(-limit_bytes, os.SEEK_END)
            shutil.copyfileobj(file, kept)
    except OSError as error:
        _logger.warning("the older output of %s is lost: %s", path.stem, error.strerror)
        with suppress(OSError):
            older.unlink(missing_ok=True)  # half a copy, on a disk that may be full
    finally:
        os.truncate(path, 0)  # whatever became of the copy: the disk must not fill up
