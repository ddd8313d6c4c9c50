"""Where colours go and where they do not, and that nothing is cut without a terminal."""

import pytest
from rich.text import Text

from scaler.cli.options import Color, Format, Output
from scaler.cli.screen import Screen
from scaler.cli.tables import add_row, plain_table

Captured = pytest.CaptureFixture[str]


def test_a_pipe_gets_whole_lines_without_colours_or_padding(capsys: Captured) -> None:
    table = plain_table("NAME", "WHY~", "COUNT>")
    add_row(table, ("a", "x" * 500, "1"))
    add_row(table, ("b", Text("late", style="red"), "20"))

    Screen(Output()).show(table)

    heading, long, short = capsys.readouterr().out.splitlines()
    assert heading.split() == ["NAME", "WHY", "COUNT"]
    assert "x" * 500 in long
    assert short.split() == ["b", "late", "20"]
    assert not any(line.endswith(" ") for line in (heading, long, short))


def test_colours_can_be_asked_for_and_be_switched_off(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    late = Text("late", style="red")

    Screen(Output(color=Color.ALWAYS)).show(late)
    always = capsys.readouterr().out
    Screen(Output(color=Color.NEVER)).show(late)
    never = capsys.readouterr().out
    monkeypatch.setenv("NO_COLOR", "1")
    Screen(Output(color=Color.ALWAYS)).show(late)
    no_color = capsys.readouterr().out

    assert always == "\x1b[31mlate\x1b[0m\n"
    assert never == no_color == "late\n"


def test_a_document_is_the_only_thing_on_standard_output(capsys: Captured) -> None:
    screen = Screen(Output(output=Format.JSON))

    screen.tell("Draining.")
    screen.document({"a": [1]}, dict[str, list[int]])

    captured = capsys.readouterr()
    assert captured.out == '{\n  "a": [\n    1\n  ]\n}\n'
    assert captured.err == "Draining.\n"
    assert screen.json
    assert not screen.live
