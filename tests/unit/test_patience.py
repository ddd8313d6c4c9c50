"""How long a command waits for a fleet, with and without a controller that could answer."""

import asyncio
from datetime import timedelta

import pytest
from temporalio.service import RPCError, RPCStatusCode

from scaler.cli import patience
from scaler.cli.patience import NoAnswer, patiently, until_answered

MINUTE = timedelta(minutes=1)


async def _served() -> bool:
    return True


async def _unserved() -> bool:
    return False


async def _never() -> str:
    await asyncio.sleep(3600)
    return "never"


async def test_an_answer_comes_through_and_nobody_is_looked_for() -> None:
    async def fail() -> bool:
        raise AssertionError("asked who serves, although the answer was there")

    assert await patiently(asyncio.sleep(0.01, "answer"), MINUTE, fail) == "answer"


async def test_where_no_controller_serves_a_minute_is_not_waited_out() -> None:
    assert timedelta(seconds=5) == patience.UNSERVED_TIME

    with pytest.raises(NoAnswer) as silence:
        await patiently(_never(), MINUTE, _unserved)

    assert silence.value.waited == timedelta(seconds=5)


async def test_where_one_serves_patience_is_kept() -> None:
    with pytest.raises(NoAnswer) as silence:
        await patiently(_never(), timedelta(seconds=5.2), _served)

    assert silence.value.waited == timedelta(seconds=5.2)


async def test_an_error_of_the_question_comes_out() -> None:
    async def fails() -> str:
        raise ValueError("of the question")

    with pytest.raises(ValueError, match="of the question"):
        await patiently(fails(), MINUTE, _unserved)


@pytest.mark.parametrize(
    "status", [RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.CANCELLED, RPCStatusCode.FAILED_PRECONDITION]
)
async def test_a_query_that_no_worker_took_is_asked_again(status: RPCStatusCode) -> None:
    answers = iter([RPCError("nobody took it", status, b""), "answer"])

    async def query() -> str:
        answer = next(answers)
        if isinstance(answer, RPCError):
            raise answer
        return str(answer)

    assert await until_answered(query) == "answer"


async def test_a_workflow_that_is_not_there_is_not_asked_again() -> None:
    async def query() -> str:
        raise RPCError("no such workflow", RPCStatusCode.NOT_FOUND, b"")

    with pytest.raises(RPCError, match="no such workflow"):
        await until_answered(query)
