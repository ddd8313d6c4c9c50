"""Arguments as the temporal command hands them on to an extension, and as a person writes them."""

import pytest

from scaler.cli.arguments import arranged


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("list", "list"),
        ("-o json list", "list -o json"),
        ("--output=json --color never status agents --watch", "status agents --watch --output=json --color never"),
        ("--debug list", "list --debug"),
        ("--tls -n payments list", "list --tls -n payments"),
        ("help", "--help"),
        ("help status", "status --help"),
        ("--profile prod help status", "status --profile prod --help"),
        ("--help", "--help"),
        ("--version", "--version"),
        ("apply -f -", "apply -f /dev/stdin"),
        ("validate --file - -f a.yaml", "validate --file /dev/stdin -f a.yaml"),
        ("pause agents --reason -", "pause agents --reason -"),
        ("", ""),
    ],
)
def test_the_command_comes_first(given: str, read: str) -> None:
    assert arranged(given.split()) == read.split()
