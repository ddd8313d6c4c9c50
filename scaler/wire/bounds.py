"""Limits of single fields that hold at the door and nowhere else.

A declaration is read in two ways: at the door, where bounds hold and unknown keys are refused, and behind it,
tolerantly, so that nothing that was once accepted is ever refused inside a running workflow.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from scaler.wire.units import format_duration

AT_THE_DOOR: Final = "at the door"
"""The validation context under which bounds are enforced."""

LARGEST_EXACT: Final = 2**53
"""Beyond it JSON's readers disagree about a number (RFC 8259, section 6), and arithmetic with floats may overflow."""


@dataclass(frozen=True, slots=True)
class Bound:
    """Limits of one field that hold at the door alone; they stand in the JSON Schema too."""

    ge: float | None = None
    gt: float | None = None
    le: float | None = None
    pattern: str | None = None
    words: str | None = None  # the pattern for a person
    length: int | None = None  # a text has at least one and at most so many characters

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Check after the field's own type has been read."""
        return core_schema.with_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Add the limits that JSON Schema has a word for."""
        words = {"minimum": self.ge, "exclusiveMinimum": self.gt, "maximum": self.le}
        limits: dict[str, Any] = {word: limit for word, limit in words.items() if limit is not None}
        json_schema = handler(schema)
        if json_schema.get("type") in ("integer", "number"):
            json_schema.update(limits)
        if self.pattern is not None:
            json_schema["pattern"] = f"^({self.pattern})$"
        if self.length is not None:
            json_schema.update(minLength=1, maxLength=self.length)
        return json_schema

    def _check(self, value: Any, info: ValidationInfo) -> Any:
        if info.context == AT_THE_DOOR and (wanted := self._missed(value)) is not None:
            raise ValueError(wanted)
        return value

    def _missed(self, value: Any) -> str | None:
        if isinstance(value, str):
            return self._missed_text(value)
        if isinstance(value, int) and abs(value) > LARGEST_EXACT:
            return f"must be at most {LARGEST_EXACT}"
        if isinstance(value, timedelta):
            return self._missed_number(value.total_seconds(), _span)
        return self._missed_number(value, _plain)

    def _missed_number(self, number: float, written: Callable[[float], str]) -> str | None:
        if not math.isfinite(number):
            return "must be finite"
        if self.ge is not None and number < self.ge:
            return f"must be at least {written(self.ge)}"
        if self.gt is not None and number <= self.gt:
            return f"must be more than {written(self.gt)}"
        if self.le is not None and number > self.le:
            return f"must be at most {written(self.le)}"
        return None

    def _missed_text(self, text: str) -> str | None:
        if self.pattern is not None and re.fullmatch(self.pattern, text) is None:
            return f"must be {self.words}" if self.words is not None else f"must match {self.pattern}"
        if self.length is not None and not 1 <= len(text) <= self.length:
            return f"must have 1 to {self.length} characters"
        return None


def _plain(number: float) -> str:
    """A bound as a person would write it, and never as a power of ten."""
    return f"{int(number)}" if number == int(number) else f"{number}"


def _span(seconds: float) -> str:
    return format_duration(timedelta(seconds=seconds))


def _known(value: Any, info: ValidationInfo) -> Any:
    """Behind the door an unknown member reads as `unknown`; at the door it is refused with what is allowed."""
    if info.context == AT_THE_DOOR and value.name == "UNKNOWN":
        allowed = ", ".join(member.value for member in type(value) if member.name != "UNKNOWN")
        raise ValueError(f"must be one of {allowed}")
    return value


@dataclass(frozen=True, slots=True)
class Known:
    """An enum field that admits no unknown member at the door."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Check after the enum has been read."""
        return core_schema.with_info_after_validator_function(_known, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """`unknown` is a way of reading, not something to write."""
        json_schema = handler.resolve_ref_schema(handler(schema))
        return {**json_schema, "enum": [value for value in json_schema["enum"] if value != "unknown"]}
