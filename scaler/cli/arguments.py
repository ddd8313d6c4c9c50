"""Puts arguments into the order in which this program reads them.

The temporal command hands an extension its own options first (`temporal scaler list -o json` arrives as
`-o json list`) and a request for help as a word of its own; a person may write both that way too.
"""

from collections.abc import Sequence
from typing import Final

from scaler.cli.declared_file import STDIN

_WITHOUT_VALUE: Final = frozenset(
    {
        "--help", "-h", "--version", "--debug", "--dry-run", "--tls", "--no-tls", "--disable-config-file",
        "--disable-config-env", "--tls-disable-host-verification",
    }
)  # fmt: skip
_FROM_STDIN: Final = {("-f", "-"), ("--file", "-")}


def arranged(tokens: Sequence[str]) -> list[str]:
    """The command first, then its options; `help COMMAND` as `COMMAND --help`."""
    leading, rest = _split(list(tokens))
    if rest[:1] == ["help"]:
        return [*rest[1:], *leading, "--help"]
    return _with_stdin([*rest, *leading])


def _split(tokens: list[str]) -> tuple[list[str], list[str]]:
    """The options before the first word that is none, and all from there on."""
    place = 0
    while place < len(tokens) and tokens[place].startswith("-"):
        has_value = "=" not in tokens[place] and tokens[place] not in _WITHOUT_VALUE
        place += 2 if has_value else 1
    return tokens[:place], tokens[place:]


def _with_stdin(tokens: list[str]) -> list[str]:
    """A dash as a file's name, which would otherwise read as an option."""
    before = ["", *tokens]
    return [STDIN if (last, word) in _FROM_STDIN else word for last, word in zip(before, tokens, strict=False)]
