"""Runs one program and never lets it outlive whoever started this keeper, however that one died.

Used as `python keeper.py PROGRAM ARGUMENTS…`, with a pipe on standard input that nobody else holds. When the pipe
closes, the program is asked to end and, after a grace, killed; a `k` in it kills at once. Needs nothing but the
standard library, so that it starts at once and stays small.
"""

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys

GRACE_SECONDS = 5
KILL = b"k"

_PR_SET_PDEATHSIG = 1


def _before_exec() -> None:
    """Undo an inherited ignore, as from `nohup … &`; on Linux let the program die even if this keeper is killed."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _end(program: subprocess.Popen[bytes], order: bytes) -> None:
    """End the program with all that it started: it leads a process group of its own."""
    if order != KILL:
        os.killpg(program.pid, signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            program.wait(GRACE_SECONDS)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(program.pid, signal.SIGKILL)
    program.wait()


def main(command: list[str]) -> int:
    """Run the command to its end; its exit status, or 128 and the signal."""
    orders = sys.stdin.fileno()
    child_changed, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    # preexec_fn is unsafe beside other threads; there are none.
    program = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        process_group=0,
        preexec_fn=_before_exec,  # noqa: PLW1509
    )
    while program.poll() is None:
        readable, _, _ = select.select([orders, child_changed], [], [])
        if child_changed in readable:
            os.read(child_changed, select.PIPE_BUF)
        if orders in readable:
            _end(program, os.read(orders, 1))
    return program.returncode if program.returncode >= 0 else 128 - program.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
