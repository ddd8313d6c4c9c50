"""The waiting formulas against what is known of them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaler.size.queueing import Stream, wait_seconds, waiting_probability


@given(st.integers(1, 32), st.floats(0.01, 0.99))
def test_few_servers_wait_as_erlang_wrote_it(servers: int, utilisation: float) -> None:
    erlangs = servers * utilisation
    all_busy = erlangs**servers / math.factorial(servers) / (1 - utilisation)
    some_free = sum(erlangs**busy / math.factorial(busy) for busy in range(servers))

    assert waiting_probability(servers, erlangs) == pytest.approx(all_busy / (some_free + all_busy))


@given(st.integers(33, 400), st.floats(0.5, 0.99))
def test_many_servers_agree_with_the_recursion(servers: int, utilisation: float) -> None:
    erlangs = servers * utilisation
    blocking = 1.0
    for server in range(1, servers + 1):
        blocking = erlangs * blocking / (server + erlangs * blocking)
    exact = blocking / (1 - utilisation * (1 - blocking))

    assert waiting_probability(servers, erlangs) == pytest.approx(exact, abs=0.02)


@given(st.integers(1, 200), st.floats(0.01, 300), st.floats(1, 99.9))
def test_another_server_never_makes_tasks_wait_longer(servers: int, erlangs: float, percentile: float) -> None:
    stream = Stream(arrivals_per_second=erlangs, service_seconds=1.0)

    fewer, more = (wait_seconds(count, stream, percentile) for count in (servers, servers + 1))

    assert more <= fewer + 0.05 or math.isinf(fewer)


def test_servers_that_cannot_keep_up_wait_for_ever() -> None:
    assert math.isinf(wait_seconds(2, Stream(arrivals_per_second=3.0, service_seconds=1.0), 95))


def test_a_queue_without_arrivals_waits_not_at_all() -> None:
    assert wait_seconds(0, Stream(arrivals_per_second=0.0, service_seconds=1.0), 95) == 0.0
