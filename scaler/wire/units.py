"""Durations and sizes as people write them: `30s`, `5m`, `PT30S`; `512Mi`, `2Gi`, plain bytes."""

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, TypeAdapter, ValidationError, WithJsonSchema

_DURATION = re.compile(
    r"(?=\d)(?:(\d+(?:\.\d+)?)d)?(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?"
    r"(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?"
)
_DURATION_UNITS = ("days", "hours", "minutes", "seconds", "milliseconds")
_ISO_DURATION = TypeAdapter(timedelta)

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(|[kKMGT]i?)B?")
_SIZE_FACTORS = {
    "": 1,
    "k": 10**3,
    "K": 10**3,
    "M": 10**6,
    "G": 10**9,
    "T": 10**12,
    "ki": 2**10,
    "Ki": 2**10,
    "Mi": 2**20,
    "Gi": 2**30,
    "Ti": 2**40,
}


def parse_duration(text: str) -> timedelta:
    """Read `1h30m`, `200ms` or ISO 8601 (`PT1M`); ValueError with what is allowed otherwise."""
    text = text.strip()
    try:
        if (match := _DURATION.fullmatch(text)) is not None:
            amounts = zip(_DURATION_UNITS, match.groups(), strict=True)
            return timedelta(**{unit: float(amount) for unit, amount in amounts if amount is not None})
        if text.startswith("P"):
            return _ISO_DURATION.validate_python(text)
    except OverflowError:
        raise ValueError(f"a duration has at most {timedelta.max.days} days") from None
    except ValidationError:
        pass
    raise ValueError("a duration is written 30s, 5m, 1h30m, 200ms or in ISO 8601 (PT30S)")


def parse_size(text: str) -> int:
    """Read `512Mi`, `2Gi`, `500M` or a plain number of bytes; ValueError with what is allowed otherwise."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError("a size is written 512Mi, 2Gi, 500M or in plain bytes")
    try:
        return int(float(match[1]) * _SIZE_FACTORS[match[2]])
    except OverflowError:
        raise ValueError("a size has at most 300 digits") from None


def format_duration(value: timedelta) -> str:
    """Write the shortest form that `parse_duration` reads back: `1h30m`, `2.5s`, `200ms`."""
    seconds = value.total_seconds()
    if 0 < seconds < 1:
        return f"{seconds * 1000:g}ms"
    minutes, seconds = divmod(round(seconds, 3), 60)
    hours, minutes = divmod(int(minutes), 60)
    parts = (
        f"{hours}h" if hours else "",
        f"{minutes}m" if minutes else "",
        f"{seconds:g}s" if seconds else "",
    )
    return "".join(parts) or "0s"


def format_size(count: float) -> str:
    """Write bytes for a person: `512 MiB`, `1.5 GiB`."""
    for unit, factor in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if count >= factor:
            return f"{count / factor:.3g} {unit}" if count < 1000 * factor else f"{count / factor:.0f} {unit}"
    return f"{count:.0f} B"


def _duration(value: Any) -> Any:
    return parse_duration(value) if isinstance(value, str) else value


def _size(value: Any) -> Any:
    return parse_size(value) if isinstance(value, str) else value


Duration = Annotated[
    timedelta,
    BeforeValidator(_duration),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema({"type": "string", "examples": ["30s", "5m", "PT1M"]}),
]
"""A length of time, written `30s` or in ISO 8601."""

ByteCount = Annotated[
    int,
    BeforeValidator(_size),
    WithJsonSchema({"anyOf": [{"type": "string", "examples": ["512Mi", "2Gi"]}, {"type": "integer", "minimum": 0}]}),
]
"""A number of bytes, written `512Mi` or plainly."""
