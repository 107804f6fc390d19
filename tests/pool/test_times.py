"""Where the time of requests went."""

import asyncio

import pytest

from botod.pool import PoolError, Terms, on_terms, spawn
from botod.pool.times import Times
from support.http_server import http_server
from support.loops import run, until
from support.pools import ask, open_pool
from support.services import Held, reply


def test_a_transfer_that_came_to_its_end() -> None:
    """Each phase has its part of the whole."""
    times = Times()
    times.transferred(began=10.0, sent=11.0, answered=13.0, ended=17.0)
    assert (times.connect_s, times.first_byte_s, times.body_s) == (1.0, 2.0, 4.0)


@pytest.mark.parametrize(
    ("sent", "answered", "phases"), [(0.0, 0.0, (7.0, 0.0, 0.0)), (11.0, 0.0, (1.0, 6.0, 0.0))]
)
def test_a_transfer_that_did_not(
    sent: float, answered: float, phases: tuple[float, float, float]
) -> None:
    """The phase in which it ended has the rest."""
    times = Times()
    times.transferred(began=10.0, sent=sent, answered=answered, ended=17.0)
    assert (times.connect_s, times.first_byte_s, times.body_s) == phases


def test_what_was_done_with_others() -> None:
    """Is added to what a job took itself."""
    times, other = Times(), Times()
    other.queue_s, other.body_s = 1.0, 2.0
    times.add(other)
    times.add(other)
    assert (times.queue_s, times.connect_s, times.body_s) == (2.0, 0.0, 4.0)


def test_a_job_s_parts_count_for_it() -> None:
    """Whatever their own terms are."""
    terms = Terms()
    terms.part(idempotent=True).times.queue_s += 1.0
    assert terms.times.queue_s == 1.0


def test_requests_over_the_pool() -> None:
    """The second waits for the slot of the first, whose answer is held for as long."""
    held = Held(reply(b"x"))
    first, second = Terms(), Terms()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        with http_server(held) as server:
            async with open_pool(slots=1) as pool:
                with on_terms(first):
                    one = spawn(ask, pool, server.port)
                with on_terms(second):
                    other = spawn(ask, pool, server.port)
                await until(held.arrived.is_set)
                began = loop.time()
                await until(lambda: loop.time() - began > 0.05)
                held.release.set()
                await asyncio.gather(one, other)

    run(main)
    assert first.times.queue_s == 0.0
    assert second.times.queue_s > 0.05
    assert 0.05 < first.times.first_byte_s <= second.times.queue_s
    assert 0.0 < second.times.first_byte_s < first.times.first_byte_s
    assert first.times.connect_s > 0.0


def test_a_wait_that_came_to_nothing_counts() -> None:
    """Who was refused a slot waited for it all the same."""
    held, second = Held(reply(b"x")), Terms()

    async def main() -> None:
        with http_server(held) as server:
            async with open_pool(slots=1, slot_timeout_s=0.05) as pool:
                one = spawn(ask, pool, server.port)
                await until(held.arrived.is_set)
                with on_terms(second), pytest.raises(PoolError):
                    await spawn(ask, pool, server.port)
                held.release.set()
                await one

    run(main)
    assert second.times.queue_s >= 0.05
    assert (second.times.connect_s, second.times.first_byte_s) == (0.0, 0.0)
