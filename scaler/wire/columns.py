"""Writes a tuple of dataclass rows as columns: each field name once, so that a hundred workers fit a payload.

Reads tolerantly: unknown columns are ignored, missing ones take the field's default.
"""

from dataclasses import MISSING, dataclass, fields
from itertools import zip_longest
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

LARGE = 100.0


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
        known = [name for name in self._names if isinstance(value.get(name), (list, str))]
        length = max((len(value[name]) for name in known if isinstance(value[name], list)), default=0)
        lines = zip_longest(*(_column(value[name], length) for name in known))
        return [
            {name: cell for name, cell in zip(known, line, strict=True) if cell is not None or name in self._nullable}
            for line in lines
        ]

    def _to_columns(self, rows: tuple[Any, ...]) -> dict[str, list[Any]]:
        columns = {name: [_rounded(getattr(row, name)) for row in rows] for name in self._names}
        return {name: _short(column) for name, column in columns.items() if not self._all_default(name, column)}

    @property
    def _names(self) -> tuple[str, ...]:
        return tuple(field.name for field in fields(self.row))

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


def _column(written: Any, length: int) -> list[Any]:
    return [written] * length if isinstance(written, str) else written


def _rounded(cell: Any) -> Any:
    """Thousandths, and tenths of large figures, are finer than anything measured here, and shorter on the wire."""
    return round(cell, 3 if abs(cell) < LARGE else 1) if isinstance(cell, float) else cell
