"""Writes values that travel with every run in few bytes, and reads them as they were written before, too."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, PlainSerializer
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

GAPS: tuple[Any, ...] = (None, [], {})


def without_gaps(value: Any) -> Any:
    """A written value without its nulls, empty lists and empty objects, for which the defaults stand in on reading."""
    if isinstance(value, dict):
        kept = {key: without_gaps(each) for key, each in value.items()}
        return {key: each for key, each in kept.items() if each not in GAPS}
    return [without_gaps(each) for each in value] if isinstance(value, list) else value


def millisecond(at: datetime) -> datetime:
    """A moment without what is finer than a millisecond."""
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def _since_epoch(at: datetime) -> int:
    """Seconds, or milliseconds where it is not a whole second: pydantic tells them apart by their size."""
    whole = int(at.replace(microsecond=0).timestamp())
    return whole if not at.microsecond else 1000 * whole + at.microsecond // 1000


def _six_digits(value: float) -> float:
    return float(f"{value:.6g}")


SixDigits = Annotated[float, PlainSerializer(_six_digits, return_type=float)]
"""A measured figure: no finer than any is, and a third of the length."""

Brief = Annotated[datetime, PlainSerializer(_since_epoch, return_type=int)]
"""A moment of which there are many, to the millisecond: half as long as in letters."""


@dataclass(frozen=True, slots=True)
class AsPair:
    """Annotates a dataclass of a figure and its moment: on the wire `[figure, seconds since the epoch]`.

    Args:
        make: Makes the value of a figure and a moment.

    """

    make: Callable[[float, datetime], Any]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Wrap the schema of the value with the turn to and from a pair."""
        return core_schema.no_info_before_validator_function(
            self._to_value,
            handler(source),
            serialization=core_schema.plain_serializer_function_ser_schema(_to_pair),
        )

    def __get_pydantic_json_schema__(self, _: CoreSchema, __: GetJsonSchemaHandler) -> JsonSchemaValue:
        """A pair of numbers, or null where there is no figure."""
        return {"type": ["array", "null"], "items": {"type": "number"}}

    def _to_value(self, written: Any) -> Any:
        match written:
            case [int() | float() as figure, int() | float() as seconds]:
                return self.make(figure, datetime.fromtimestamp(seconds, UTC))
            case None | []:
                return {}
            case _:
                return written


def _to_pair(value: Any) -> list[float] | None:
    return None if value.value is None or value.at is None else [value.value, int(value.at.timestamp())]
