"""What is asked of a demo."""

from dataclasses import dataclass
from datetime import timedelta

from scaler.cli.demo.folder import Folder
from scaler.cli.options import Output


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """How long, from which seed, on which server, and how it is told."""

    folder: Folder
    length: timedelta
    seed: int
    address: str | None  # None: a server of the demo's own
    namespace: str
    output: Output
