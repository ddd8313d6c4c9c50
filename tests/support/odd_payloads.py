"""What a person, a script or a fuzzer may send instead of a message."""

import json
from typing import Any, Final

from temporalio.api.common.v1 import Payload
from temporalio.common import RawValue

from tests.support.served_fleets import declared, payload

MEGABYTE: Final = 2**20


def _fleet(**changes: Any) -> RawValue:
    return payload(json.dumps(declared("odd", **changes)).encode())


ODD: Final[dict[str, RawValue]] = {
    "an array": payload(b"[1, 2, 3]"),
    "a number": payload(b"42"),
    "a string": payload(b'"scale it"'),
    "null": payload(b"", b"binary/null"),
    "null as JSON": payload(b"null"),
    "true": payload(b"true"),
    "an object of unknown keys": payload(b'{"wrokers": 3}'),
    "binary": payload(bytes(range(256)), b"binary/plain"),
    "a megabyte": payload(b'"' + b"x" * MEGABYTE + b'"'),
    "a megabyte of binary": payload(b"\xff" * MEGABYTE, b"binary/plain"),
    "an unknown encoding": payload(b"{}", b"binary/encrypted"),
    "an encoding that is no text": payload(b"{}", b"\xff\xfe"),
    "no encoding": RawValue(Payload(data=b"{}")),
    "nothing at all": RawValue(Payload()),
    "no JSON": payload(b"{name: orders}"),
    "no UTF-8": payload(b'{"name": "\xff"}'),
    "half a character": payload(b'{"name": "\\ud800", "reason": "\\ud800", "for": "1m", "worker": "\\ud800"}'),
    "half a character as a key": payload(b'{"\\ud800": 1}'),
    "deep brackets": payload(b"[" * 50_000),
    "less deep brackets": payload(b"[" * 400 + b"]" * 400),
    "endless digits": payload(b'{"workers": ' + b"9" * 5000 + b"}"),
    "no numbers": payload(b'{"workers": NaN, "cache": Infinity, "for": -Infinity, "reason": "x"}'),
    "a number beyond all floats": payload(
        b'{"workers": %b, "cache": %b, "slots_used": %b, "memory_bytes": %b, ' % ((b"9" * 400,) * 4)
        + b'"for": "1m", "reason": "x", "worker": "w-1"}'
    ),
    "an endless time": payload(b'{"for": "99999999999999999999d", "reason": "x", "workers": 1}'),
    "a time that ran backwards": payload(b'{"for": "-5m", "reason": "x", "workers": 1}'),
    "a fleet with an endless objective": _fleet(objective={"activity": f"{'9' * 30}d"}),
    "a fleet with an endless limit": _fleet(memory={"limit": 10**400}),
    "a fleet in a place that is none": _fleet(target={"kind": "local", "name": "odd", "host": "\n" * 300}),
}
"""By what they are. None of them is a fleet, a pause, an override or a hint."""
