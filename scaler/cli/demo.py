"""`demo`: says where the demo is, which needs a checkout."""

from typing import Annotated

from cyclopts import Parameter

from scaler.cli.exits import CommandFailed, Exit


def demo(*_: Annotated[str, Parameter(allow_leading_hyphen=True, show=False)]) -> None:
    """Say how to run the demo: a real fleet being sized on this machine. It is part of the checkout."""
    raise CommandFailed(
        Exit.REFUSED,
        "the demo is not in this program, it plays on the examples of the checkout",
        "In a checkout: make demo, make incident, or python -m examples.demo --help.",
    )
