"""What went wrong in a demo, in words for whoever started it."""

from collections.abc import Iterator
from contextlib import contextmanager

from devserver import TemporalServerError
from scaler.cli.exits import CommandFailed, Exit


@contextmanager
def plain_failures() -> Iterator[None]:
    """Raise what went wrong first, and a server that can't be had as what it is."""
    try:
        yield
    except TemporalServerError as error:
        raise CommandFailed(Exit.UNREACHABLE, str(error)) from error
    except ExceptionGroup as several:
        raise first(several) from several


def first(several: ExceptionGroup[Exception]) -> Exception:
    """What went wrong first, beside which other parts were ended."""
    one = several.exceptions[0]
    return first(one) if isinstance(one, ExceptionGroup) else one
