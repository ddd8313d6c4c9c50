"""Holds one mutant against the tests of the core, in a copy of the project of its own."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from benchmarks.mutation.mutants import Mutant

COPIED = ("scaler", "activities", "workflows", "tests", "benchmarks", "plugin", "docs", "pyproject.toml", "README.md")
CORE_IMPORTS = ("scaler.decide", "scaler.rules", "scaler.learn", "scaler.size", "scaler.claims", "support.plausible")
SLOW = ("test_columns", "test_calibration_fits", "test_status_page", "test_sizes", "test_explain")
"""Tests of the wire and of words: they need the core, but are not about what it decides."""

LONGEST_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a mutant."""

    mutant: Mutant
    killed: bool
    by: str
    seconds: float


def tests_of(root: Path, mutant: Mutant) -> list[str]:
    """Test files that are about the core; those that name the mutated module come first."""
    stem = Path(mutant.path).stem
    units = [path for path in sorted((root / "tests" / "unit").glob("test_*.py")) if path.stem not in SLOW]
    core = [path for path in units if any(name in path.read_text() for name in CORE_IMPORTS)]
    core.sort(key=lambda path: (stem not in path.stem, stem not in path.read_text()))
    rest = [root / "tests/properties/test_safety_rules.py", root / "tests/properties/test_loop_and_target.py"]
    return [str(path.relative_to(root)) for path in (*core, *rest)]


class Bench:
    """A copy of the project in which one mutant after the other is tried."""

    def __init__(self, root: Path) -> None:
        self._copy = Path(tempfile.mkdtemp(prefix="mutants-"))
        for name in COPIED:
            source = root / name
            if source.is_dir():
                shutil.copytree(source, self._copy / name, ignore=shutil.ignore_patterns("__pycache__"))
            elif source.exists():
                shutil.copy(source, self._copy / name)

    def close(self) -> None:
        """Take the copy away."""
        shutil.rmtree(self._copy, ignore_errors=True)

    def unmutated(self, mutant: Mutant) -> Verdict:
        """What the tests say of the project as it is; killed here, nothing can be said of any mutant."""
        return self._tried(mutant, self._run(tests_of(self._copy, mutant)))

    def tried(self, mutant: Mutant) -> Verdict:
        """Mutate, test, and put back."""
        path = self._copy / mutant.path
        source = path.read_text()
        path.write_text(mutant.mutated(source))
        try:
            return self._tried(mutant, self._run(tests_of(self._copy, mutant)))
        finally:
            path.write_text(source)

    def _tried(self, mutant: Mutant, ran: tuple[bool, str, float]) -> Verdict:
        killed, by, seconds = ran
        return Verdict(mutant, killed, by, seconds)

    def _run(self, tests: Sequence[str]) -> tuple[bool, str, float]:
        began = monotonic()
        command = [sys.executable, "-B", "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "--tb=no"]
        command += ["--hypothesis-profile=quick", "--hypothesis-seed=7", *tests]
        environment = {**os.environ, "PYTHONPATH": str(self._copy)}
        with suppress(subprocess.TimeoutExpired):
            ran = subprocess.run(
                command,
                cwd=self._copy,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
                timeout=LONGEST_SECONDS,
            )
            lines = [line for line in ran.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
            return ran.returncode != 0, lines[0] if lines else ran.stderr[-200:], monotonic() - began
        return True, f"longer than {LONGEST_SECONDS} s", monotonic() - began
