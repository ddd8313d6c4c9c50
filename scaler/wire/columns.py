"""Writes a tuple of dataclass rows as columns: each field name once, so that a hundred workers fit a payload.

Reads tolerantly: unknown columns are ignored, missing ones take the field's default.
"""

import math
from dataclasses import MISSING, dataclass, fields
from itertools import zip_longest
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

WIDTH = "width"
"""The metadata of a field whose words all have so many letters, or none: they are written one after another."""

DIGITS = ((1.0, 3), (10.0, 2), (math.inf, 1))
"""Below each bound so many digits are written after the point: three that count, finer than anything measured here."""


@dataclass(frozen=True, slots=True)
class AsColumns:
    """Annotates `tuple[Row, ...]`: on the wire `{"name": [...], "age_seconds": [...]}` instead of a list of rows."""

    row: type[Any]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Wrap the schema of the rows with the turn to and from columns."""
        return core_schema.no_info_before_validator_function(
            self._to_rows,
            handler(source),
            serialization=core_schema.plain_serializer_function_ser_schema(self._to_columns),
        )

    def __get_pydantic_json_schema__(self, _: CoreSchema, __: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Columns are an object of arrays of one length, or of a word that all rows share."""
        return {"type": "object", "additionalProperties": {"type": ["array", "string"]}}

    def _to_rows(self, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        value = value | {name: _apart(value.get(name), width) for name, width in self._widths.items()}
        known = [name for name in self._names if isinstance(value.get(name), (list, str))]
        length = max((len(value[name]) for name in known if isinstance(value[name], list)), default=0)
        lines = zip_longest(*(_column(value[name], length) for name in known))
        return [
            {name: cell for name, cell in zip(known, line, strict=True) if cell is not None or name in self._nullable}
            for line in lines
        ]

    def _to_columns(self, rows: tuple[Any, ...]) -> dict[str, Any]:
        columns: dict[str, list[Any]] = {name: [_rounded(getattr(row, name)) for row in rows] for name in self._names}
        told = {name: column for name, column in columns.items() if not self._all_default(name, column)}
        widths = self._widths
        return {
            name: _joined(column, widths[name]) if name in widths else _short(column) for name, column in told.items()
        }

    @property
    def _names(self) -> tuple[str, ...]:
        return tuple(field.name for field in fields(self.row))

    @property
    def _widths(self) -> dict[str, int]:
        return {field.name: field.metadata[WIDTH] for field in fields(self.row) if WIDTH in field.metadata}

    @property
    def _nullable(self) -> frozenset[str]:
        """Fields for which null is a value; elsewhere it is a gap, and the default stands in."""
        return frozenset(field.name for field in fields(self.row) if field.default in (None, MISSING))

    def _all_default(self, name: str, column: list[Any]) -> bool:
        default = self.row.__dataclass_fields__[name].default
        return default is not MISSING and all(cell == default for cell in column)


def _short(column: list[Any]) -> Any:
    """A word that all rows share, as a version is, stands once."""
    shared = len(column) > 1 and isinstance(column[0], str) and all(cell == column[0] for cell in column)
    return str(column[0]) if shared else column


def _joined(column: list[Any], width: int) -> dict[str, str]:
    return {"joined": "".join(cell.ljust(width)[:width] for cell in column)}


def _apart(written: Any, width: int) -> Any:
    """An object, which versions that know no such column pass over."""
    if not (isinstance(written, dict) and isinstance(joined := written.get("joined"), str)):
        return None
    return [joined[start : start + width].strip() for start in range(0, len(joined), width)]


def _column(written: Any, length: int) -> list[Any]:
    return [written] * length if isinstance(written, str) else written


def _rounded(cell: Any) -> Any:
    if not isinstance(cell, float):
        return cell
    return round(cell, next((digits for below, digits in DIGITS if abs(cell) < below), 1))
