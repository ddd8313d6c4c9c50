"""The messages of a fleet's workflow: names and JSON that users and their scripts rely on. Fields are only added.

Validators read them strictly and are not replayed; handlers read what was accepted tolerantly, so that a later,
stricter version replays.
"""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Final, TypeVar

from pydantic import BaseModel, ConfigDict, Field
from temporalio.common import RawValue

from scaler.door import MAX_FLEET_BYTES, Problem, Refused, Submission, read_declared, read_fleet
from scaler.fleet import Fleet
from scaler.state import State
from scaler.wire.bounds import Bound
from scaler.wire.units import ByteCount, Duration

WORKFLOW_TYPE: Final = "ScaleFleet"
TASK_QUEUE: Final = "worker-scaler"
DRY_RUN_TASK_QUEUE: Final = "worker-scaler-dry-run"

MAX_HOLD: Final = timedelta(days=30)
MAX_HOST_LENGTH: Final = 253
LONGEST_REASON: Final = 200
MOST_WORKERS: Final = 10_000
LARGEST_CACHE: Final = 1_000_000
MOST_SLOTS: Final = 1_000_000
MOST_MEMORY_BYTES: Final = 2**50


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, populate_by_name=True)


class Nothing(_Message):
    """For messages that say all by their name: no payload, or an empty object."""


class PauseRequest(_Message):
    """Leave all sizes alone, even in an emergency."""

    reason: Annotated[str, Bound(length=LONGEST_REASON)]
    duration: Annotated[Duration, Bound(gt=0, le=MAX_HOLD.total_seconds())] | None = Field(None, alias="for")


class OverrideRequest(_Message):
    """Go to this size and stay there for a while."""

    reason: Annotated[str, Bound(length=LONGEST_REASON)]
    duration: Annotated[Duration, Bound(gt=0, le=MAX_HOLD.total_seconds())] = Field(alias="for")
    workers: Annotated[int, Bound(ge=0, le=MOST_WORKERS)] | None = None
    cache: Annotated[int, Bound(ge=1, le=LARGEST_CACHE)] | None = None


class StopRequest(_Message):
    """Give the fleet up; with `drain` its workers are taken away first."""

    drain: bool = False


class HintRequest(_Message):
    """What one worker just saw of itself."""

    worker: str
    queue: str | None = None
    slots_used: Annotated[int, Bound(ge=0, le=MOST_SLOTS)] | None = None
    slots: Annotated[int, Bound(ge=0, le=MOST_SLOTS)] | None = None
    cache: Annotated[int, Bound(ge=0, le=LARGEST_CACHE)] | None = None
    memory_bytes: Annotated[ByteCount, Bound(ge=0, le=MOST_MEMORY_BYTES)] | None = None
    guard: str | None = None


Message = TypeVar("Message", bound=BaseModel)


def submitted(payloads: Sequence[RawValue]) -> Submission:
    """What came through the door, unread; never an exception, whatever it was."""
    if len(payloads) != 1:
        return Submission(payloads=len(payloads), fault=f"needs exactly one payload, found {len(payloads)}")
    payload = payloads[0].payload
    encoding = payload.metadata.get("encoding", b"").decode(errors="replace")
    if encoding not in ("json/plain", "json/protobuf"):
        return Submission(payloads=1, fault=f"must be json/plain, found encoding {encoding[:40]!r}")
    if len(payload.data) > MAX_FLEET_BYTES:
        return Submission(payloads=1, fault=f"must be at most {MAX_FLEET_BYTES} bytes, found {len(payload.data)}")
    try:
        return Submission(payloads=1, json=payload.data.decode())
    except UnicodeDecodeError:
        return Submission(payloads=1, fault="must be UTF-8")


def read_strictly(model: type[Message], payloads: Sequence[RawValue]) -> Message:
    """Read a message at the door; `Refused` with every mistake in it."""
    return read_declared(model, {} if _empty(model, payloads) else submitted(payloads).value())


def read_accepted(model: type[Message], payloads: Sequence[RawValue]) -> Message:
    """Read a message that passed the door once, maybe an earlier version's."""
    raw = {} if _empty(model, payloads) else json.loads(payloads[0].payload.data)
    return model.model_validate(raw)


def _empty(model: type[BaseModel], payloads: Sequence[RawValue]) -> bool:
    """A message whose fields are all optional may come without a payload, or with null."""
    optional = not any(field.is_required() for field in model.model_fields.values())
    return optional and (not payloads or (len(payloads) == 1 and _null(payloads[0])))


def _null(raw: RawValue) -> bool:
    """SDKs send None without a text, `temporal workflow update --input null` with one."""
    encoding, text = raw.payload.metadata.get("encoding"), raw.payload.data.strip()
    return encoding == b"binary/null" or (encoding == b"json/plain" and text == b"null")


def read_fleet_strictly(payloads: Sequence[RawValue]) -> Fleet:
    """Read a declaration at the door; `Refused` with every mistake in it."""
    return read_fleet(submitted(payloads).value())


def read_override_strictly(payloads: Sequence[RawValue]) -> OverrideRequest:
    """Read an override at the door: one that names no number would hold nothing and end slow scale-in."""
    request = read_strictly(OverrideRequest, payloads)
    if request.workers is None and request.cache is None:
        raise Refused((Problem((), "needs workers, cache or both"),))
    return request


def read_stop_strictly(payloads: Sequence[RawValue], state: State | None, now: datetime) -> StopRequest:
    """Read a stop at the door: while a fleet is paused none of its workers may go."""
    request = read_strictly(StopRequest, payloads)
    pause = state.memory.operator.pause if state is not None else None
    if request.drain and pause is not None and (pause.until is None or pause.until > now):
        raise Refused((Problem(("drain",), "the fleet is paused, so no worker may go; resume it, or stop without"),))
    return request


def host(submission: Submission) -> str | None:
    """Where a local target says it lives, peeked at before anything was checked; None for whatever is odd."""
    try:
        declared = submission.value()["target"]["host"]
    except (Refused, LookupError, TypeError):
        return None
    return declared if isinstance(declared, str) and 0 < len(declared) <= MAX_HOST_LENGTH else None
