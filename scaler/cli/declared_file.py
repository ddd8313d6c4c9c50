"""Reads YAML 1.2 or JSON strictly, and remembers on which line each key stands.

Whatever is wrong with a file comes out as `FILE:LINE: key.path: what was found and what is allowed`.
"""

import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from scaler.door import Path as KeyPath
from scaler.door import Problem

STDIN: Final = "/dev/stdin"
MAX_FILE_BYTES: Final = 2**20
MAX_VALUES: Final = 100_000
"""Aliases of aliases grow a small file beyond any memory."""

_TAGS: Final = "tag:yaml.org,2002:"


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing that is wrong with a file, and where."""

    file: str
    line: int  # 0: the file as a whole
    path: KeyPath
    message: str

    def __str__(self) -> str:
        """`fleet.yaml:7: workers.max: must be at least 1, found 0`."""
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {Problem(self.path, self.message)}"


class FileRefused(Exception):  # noqa: N818 (it names what happened)
    """A file can't be taken as it is."""

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("\n".join(map(str, self.mistakes)))


@dataclass(frozen=True, slots=True)
class DeclaredFile:
    """What a file says, and the line of each key and list entry in it."""

    name: str
    value: Any
    lines: Mapping[KeyPath, int]

    def line(self, path: KeyPath) -> int:
        """Where a key stands; for one that is missing, where it would belong."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def mistake(self, problem: Problem, below: KeyPath = ()) -> Mistake:
        """Say where in the file a problem with a part of it is."""
        path = (*below, *problem.path)
        return Mistake(self.name, self.line(path), path, problem.message)


def read_declared_file(path: Path) -> DeclaredFile:
    """Read one document; raise `FileRefused` with what is wrong with it."""
    name = "<stdin>" if str(path) == STDIN else str(path)
    text = _text(path, name)
    try:
        node = _compose(text, name)
        if node is None:
            raise FileRefused([Mistake(name, 0, (), "the file is empty")])
        tree = _Tree(name)
        value = tree.value(node, ())
    except RecursionError:
        raise FileRefused([Mistake(name, 0, (), "is nested too deeply")]) from None
    if tree.mistakes:
        raise FileRefused(tree.mistakes)
    return DeclaredFile(name, value, tree.lines)


def _text(path: Path, name: str) -> str:
    try:
        if str(path) == STDIN:
            raw = sys.stdin.buffer.read(MAX_FILE_BYTES + 1)
        else:
            with path.open("rb") as file:
                raw = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        reason = error.strerror or str(error)
        raise FileRefused([Mistake(name, 0, (), f"can't be read: {reason}")]) from error
    if len(raw) > MAX_FILE_BYTES:
        raise FileRefused([Mistake(name, 0, (), f"must be at most {MAX_FILE_BYTES} bytes")])
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise FileRefused([Mistake(name, line, (), "must be UTF-8")]) from error


def _compose(text: str, name: str) -> Node | None:
    try:
        node: Node | None = YAML(typ="safe", pure=True).compose(text)
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise FileRefused([Mistake(name, line, (), "holds a character that YAML does not allow")]) from error
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark is not None else 0
        raise FileRefused([Mistake(name, line, (), _syntax(error))]) from error
    except YAMLError as error:
        raise FileRefused([Mistake(name, 0, (), "is neither YAML nor JSON")]) from error
    return node


def _syntax(error: MarkedYAMLError) -> str:
    problem = str(error.problem or "can't be read")
    if "'\\t'" in problem:
        return "a tab indents this line; YAML is indented with spaces"
    if "another document" in problem:
        return "a second document begins here; one file is one document (several fleets stand under fleets:)"
    while_ = f" {error.context}" if error.context and "next token" not in str(error.context) else ""
    return f"is neither YAML nor JSON:{while_} {problem}"


@dataclass(slots=True)
class _Tree:
    """Turns nodes into plain values, the way JSON has them, and notes where they stand."""

    file: str
    lines: dict[KeyPath, int] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)
    values: int = 0
    open: set[int] = field(default_factory=set)  # nodes whose inside is being read: an alias in it has no end

    def value(self, node: Node, path: KeyPath) -> Any:
        """The value of a node; None for one with a mistake."""
        line = node.start_mark.line + 1
        self.lines.setdefault(path, line)
        self.values += 1
        if self.values > MAX_VALUES:
            raise FileRefused([Mistake(self.file, line, (), f"holds more than {MAX_VALUES} values, aliases included")])
        if id(node) in self.open:
            return self._mistaken(line, path, "an alias refers to what it is a part of")
        if isinstance(node, ScalarNode):
            return self._scalar(node, path)
        self.open.add(id(node))
        try:
            if isinstance(node, MappingNode):
                return self._mapping(node, path)
            if isinstance(node, SequenceNode):
                return [self.value(item, (*path, index)) for index, item in enumerate(node.value)]
        finally:
            self.open.discard(id(node))
        return self._mistaken(line, path, "is neither a text, a number, a list nor a mapping")

    def _mapping(self, node: MappingNode, path: KeyPath) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            name = self._key(key, path)
            if name is None:
                continue
            place = (*path, name)
            if name in found:
                self._mistaken(line, place, f"stands twice, first on line {self.lines[place]}")
                continue
            self.lines[place] = line
            found[name] = self.value(value, place)
        return found

    def _key(self, node: Node, path: KeyPath) -> str | None:
        line = node.start_mark.line + 1
        if str(node.tag) == f"{_TAGS}merge":
            self._mistaken(line, path, "merge keys (<<) are not part of YAML 1.2; repeat the keys, or use an alias")
            return None
        if not isinstance(node, ScalarNode) or str(node.tag) != f"{_TAGS}str":
            shown = f", found {node.value}" if isinstance(node, ScalarNode) else ""
            self._mistaken(line, path, f"a key must be a text{shown}")
            return None
        return str(node.value)

    def _scalar(self, node: ScalarNode, path: KeyPath) -> Any:
        text, tag = str(node.value), str(node.tag)
        match tag.removeprefix(_TAGS):
            case "null":
                return None
            case "bool":
                return text.lower() in ("true", "yes", "on")
            case "int":
                return self._number(_int, node, path)
            case "float":
                return self._number(_float, node, path)
            case "str" | "timestamp" | "value":
                return _joined(text)
            case _:
                return self._mistaken(node.start_mark.line + 1, path, f"tags are not read, found {tag}")

    def _number(self, read: Callable[[str], float], node: ScalarNode, path: KeyPath) -> float | None:
        try:
            return read(str(node.value).replace("_", ""))
        except ValueError:
            self._mistaken(node.start_mark.line + 1, path, "is a number that can't be read")
            return None

    def _mistaken(self, line: int, path: KeyPath, message: str) -> None:
        self.mistakes.append(Mistake(self.file, line, path, message))


def _joined(text: str) -> str:
    """JSON writes a character beyond the 16-bit plane as two halves."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _int(text: str) -> int:
    """Decimal, or 0x and 0o as YAML 1.2 and TOML write them; a leading zero is no octal."""
    return int(text) if text.lstrip("+-").isdigit() else int(text, 0)


def _float(text: str) -> float:
    return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
