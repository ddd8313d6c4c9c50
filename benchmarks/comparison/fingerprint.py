"""A digest of the code that something rests on: what its imports lead to, without comments and docstrings."""

import ast
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]


class Code:
    """The modules below a folder."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._codes: dict[str, str] = {}

    def fingerprint(self, modules: Sequence[str], rooms: Sequence[str], alone: Sequence[str] = ()) -> str:
        """The digest of some modules, and of all that they import, directly or not, from these rooms (name prefixes).

        `alone` are modules that count, but not what they import.
        """
        digest = hashlib.sha256()
        for name in sorted({*self._reached(modules, rooms), *alone}):
            digest.update(f"{name}\n{self._code(name)}\n".encode())
        return digest.hexdigest()

    def _reached(self, modules: Sequence[str], rooms: Sequence[str]) -> set[str]:
        reached: set[str] = set()
        left = list(modules)
        while left:
            name = left.pop()
            if name not in reached:
                reached.add(name)
                left += [each for each in self._imports(name) if any(_inside(each, room) for room in rooms)]
        return reached

    def _imports(self, name: str) -> Iterator[str]:
        """The modules below the folder that a module names in its imports."""
        for node in ast.walk(self._tree(name)):
            if isinstance(node, ast.Import):
                yield from (each.name for each in node.names if self._path(each.name) is not None)
            elif isinstance(node, ast.ImportFrom) and node.module is not None and not node.level:
                within = [f"{node.module}.{each.name}" for each in node.names]
                yield from (each for each in (node.module, *within) if self._path(each) is not None)

    def _path(self, name: str) -> Path | None:
        place = self._root / name.replace(".", "/")
        return next((path for path in (place.with_suffix(".py"), place / "__init__.py") if path.exists()), None)

    def _tree(self, name: str) -> ast.Module:
        path = self._path(name)
        if path is None:
            raise LookupError(f"{name} is no module below {self._root}")
        return ast.parse(path.read_text(encoding="utf-8"))

    def _code(self, name: str) -> str:
        if name not in self._codes:
            self._codes[name] = ast.dump(_Spoken().visit(self._tree(name)))
        return self._codes[name]


def _inside(name: str, room: str) -> bool:
    return name == room or name.startswith(f"{room}.")


class _Spoken(ast.NodeTransformer):
    """Leaves out strings that stand alone: docstrings."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        """Keep what is done, drop what is said."""
        said = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return ast.Pass() if said else node
