"""How values become payloads and back: pydantic by type, and untouched where a handler wants to read for itself.

A handler without typed parameters (`*payloads`) gets each payload raw, whatever its encoding and number. With
typed ones a single malformed start or update would fail the workflow task for ever.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

from pydantic import TypeAdapter
from temporalio.api.common.v1 import Payload
from temporalio.common import RawValue
from temporalio.contrib.pydantic import PydanticJSONPlainPayloadConverter, PydanticPayloadConverter
from temporalio.converter import DataConverter


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


class _ByType(PydanticJSONPlainPayloadConverter):
    """Writes a value by its own type, so that annotations of dataclass fields (columns, durations) count.

    Every workflow gets a converter of its own; adapters are shared by all, as each takes 10 to 20 ms to make.
    """

    def to_payload(self, value: Any) -> Payload | None:
        data = _adapter(value.__class__).dump_json(value)
        return Payload(metadata={"encoding": self.encoding.encode()}, data=data)

    def from_payload(self, payload: Payload, type_hint: type | None = None) -> Any:
        return _adapter(type_hint if type_hint is not None else Any).validate_json(payload.data)


class RawWithoutHints(PydanticPayloadConverter):
    """Reads by type hint; without one it hands the payload on unread."""

    def __init__(self) -> None:
        super().__init__()
        by_type = _ByType()
        self.converters = {**self.converters, by_type.encoding.encode(): by_type}

    def from_payloads(self, payloads: Sequence[Payload], type_hints: list[type] | None = None) -> list[Any]:
        """Read each payload by its hint, or leave all raw where there are none."""
        if type_hints is None:
            return [RawValue(payload) for payload in payloads]
        return super().from_payloads(payloads, type_hints)


DATA_CONVERTER = DataConverter(payload_converter_class=RawWithoutHints)
"""What the controller's workers and clients use."""
