"""How a command ends: the exit status that scripts rely on, and the error that leads to one."""

from enum import IntEnum


class Exit(IntEnum):
    """Exit statuses; public, so that none changes its meaning."""

    OK = 0
    REFUSED = 1
    USAGE = 2
    UNREACHABLE = 3
    NOT_FOUND = 4
    UNCONFIRMED = 5
    DEFECT = 70
    INTERRUPTED = 130


MEANINGS = {
    Exit.OK: "done",
    Exit.REFUSED: "a file, a fleet or a request is not right; nothing was changed",
    Exit.USAGE: "the command line can't be understood",
    Exit.UNREACHABLE: "no Temporal server, no such namespace, or it refuses the credentials",
    Exit.NOT_FOUND: "no such fleet runs",
    Exit.UNCONFIRMED: "no answer in time, or in force but not confirmed by the target",
    Exit.DEFECT: "a defect in this program; --debug shows where",
    Exit.INTERRUPTED: "interrupted (Ctrl-C)",
}


class CommandFailed(Exception):  # noqa: N818 (it names what happened)
    """A command can't do what it was asked for; its words are for the person who asked, and hold no secret.

    Args:
        status: How the program ends.
        message: What is wrong, with what was found.
        remedy: What to do about it, where that can be said.

    """

    def __init__(self, status: Exit, message: str, remedy: str = "") -> None:
        super().__init__(f"{message}\n{remedy}" if remedy else message)
        self.status = status
