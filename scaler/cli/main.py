"""The command line `temporal-scaler`, also reached as `temporal scaler`.

Each command is loaded when it is asked for. To add one, give it a line in `COMMANDS`.
"""

import asyncio
import contextlib
import inspect
import io
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from importlib.metadata import version as installed
from typing import Any, Final, NoReturn

from cyclopts import App, CycloptsError
from rich.console import Console
from rich.text import Text

from scaler.cli.arguments import arranged
from scaler.cli.declared_file import FileRefused
from scaler.cli.exits import MEANINGS, CommandFailed, Exit
from scaler.cli.options import DEBUG_VARIABLE, Terminal

COMMANDS: Final = {
    "run": "scaler.cli.run:run",
    "validate": "scaler.cli.validate:validate",
    "apply": "scaler.cli.apply:apply",
    "list": "scaler.cli.list_fleets:list_fleets",
    "status": "scaler.cli.status:status",
    "decisions": "scaler.cli.decisions:decisions",
    "explain": "scaler.cli.explain_fleet:explain_fleet",
    "pause": "scaler.cli.holds:pause",
    "resume": "scaler.cli.holds:resume",
    "override": "scaler.cli.holds:override",
    "stop": "scaler.cli.stop:stop",
    "demo": "scaler.cli.demo:demo",
    "dev-server": "devserver.command:dev_server",
    "simulate": "scaler.cli.simulate:simulate",
    "backtest": "scaler.cli.backtest:backtest",
    "schema": "scaler.cli.schema:schema",
    "version": "scaler.cli.version:version",
}

PIPED_HELP_WIDTH: Final = 120


def main(opened: Callable[[], App] | None = None) -> NoReturn:
    """Do what the command line says, and end with the status that it deserves.

    Args:
        opened: The commands that there are; by default those of this program.

    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that can't show a dash gets a question mark
    status = carry_out(sys.argv[1:], opened or command_line)
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.flush()
        sys.stderr.flush()
    # Taking the interpreter down piece by piece lets a thread of the SDK crash it, and the status with it.
    os._exit(status)


def carry_out(tokens: Sequence[str], opened: Callable[[], App] | None = None) -> Exit:
    """Do what the arguments say; whatever goes wrong is said in a line or two."""
    debug = os.environ.get(DEBUG_VARIABLE, "").lower() in ("1", "true", "yes")
    try:
        command, bound = _read(arranged(tokens), (opened or command_line)())
        debug = debug or any(given.debug for given in bound.arguments.values() if isinstance(given, Terminal))
        result = command(*bound.args, **bound.kwargs)
        if inspect.iscoroutine(result):
            result = asyncio.run(result)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 (no traceback unless asked for)
        words, status = _failure(error, tokens)
        if debug:
            traceback.print_exc()  # without the values of variables: they may hold secrets
        if words:
            Console(stderr=True, highlight=False).print(Text(words, style="red"), soft_wrap=True)
        return status
    return result if isinstance(result, Exit) else Exit.OK


def command_line() -> App:
    """All commands."""
    terminal = sys.stdout.isatty()
    app = App(
        name="temporal-scaler",
        help="Keeps fleets of Temporal workers the right size: how many workers, and how many workflows each caches.",
        help_formatter="default" if terminal else "plain",
        help_epilogue=_exits(),
        version=installed("temporal-scaler"),
        console=None if terminal else Console(width=PIPED_HELP_WIDTH),
    )
    for name, function in COMMANDS.items():
        app.command(function, name=name, help_epilogue="")
    return app


def _read(tokens: Sequence[str], app: App) -> tuple[Callable[..., Any], inspect.BoundArguments]:
    if not tokens or tokens[0].startswith("-"):
        for place, name in enumerate(name for name in app if not name.startswith("-")):
            app[name].sort_key = place  # loads it: the list of all commands says what each is for
    command, bound, _ = app.parse_args(tokens, exit_on_error=False, print_error=False)
    return command, bound


def _exits() -> str:
    return "Exit status: " + "; ".join(f"{status.value} {meaning}" for status, meaning in MEANINGS.items()) + "."


def _file_meant(chain: str, tokens: Sequence[str]) -> str:
    """A file that stands where a command takes none was most likely meant for -f."""
    found = next((token for token in tokens if token.endswith((".yaml", ".yml", ".json"))), None)
    if found is None or {"-f", "--file"} & set(tokens):
        return ""
    return f"Did you mean {chain} -f {found}? "


def _failure(error: BaseException, tokens: Sequence[str]) -> tuple[str, Exit]:
    """What to say of an error, and how to end."""
    match error:
        case CycloptsError():
            chain = " ".join(["temporal-scaler", *(error.command_chain or ())])
            return f"{error}\n{_file_meant(chain, tokens)}See {chain} --help.", Exit.USAGE
        case CommandFailed():
            return str(error), error.status
        case FileRefused():
            return str(error), Exit.REFUSED
        case BrokenPipeError():
            return "", Exit.OK
        case KeyboardInterrupt():
            return "", Exit.INTERRUPTED
        case _:
            remedy = f"Please report it, with what {DEBUG_VARIABLE}=1 shows."
            return f"a defect in temporal-scaler: {type(error).__name__}\n{remedy}", Exit.DEFECT
