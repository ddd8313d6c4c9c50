"""What a case says of a run: everything that went wrong, each in a few words."""

from collections.abc import Mapping


def wrong(checks: Mapping[str, bool]) -> tuple[str, ...]:
    """Names of the checks that do not hold."""
    return tuple(what for what, holds in checks.items() if not holds)
