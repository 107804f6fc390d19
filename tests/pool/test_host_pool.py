"""One host: its slots come back, and what transfers tell of it decides who gets the next."""

import asyncio
import socket
import threading

import pytest
import uvloop

from botod.pool import HostResting, NotSent, OutcomeUnknown, PoolTimeout, Terms, spawn
from botod.pool.health import BREAKS_MAX, FAILURES_MAX
from botod.pool.host_pool import HostPool
from botod.pool.origin import Origin
from botod.pool.queue import SlotQueue
from support.http_server import Exchange, http_server
from support.loops import BOUND_S, run, until
from support.pools import ask, open_pool

ORIGIN = Origin("http", "s3.test", 80)
OTHER = Origin("http", "sqs.test", 80)


def test_a_lease_is_given_back_once() -> None:
    """A second release does not free somebody else's slot."""

    async def scenario() -> None:
        async with open_pool(slots=2) as pool:
            first, second = pool.lease(ORIGIN), pool.lease(ORIGIN)
            first.release()
            first.release()
            assert pool.stats()[0].slots.leased_num == 1
            second.release()

    run(scenario)


def test_a_host_that_takes_no_connections_is_not_asked_by_everybody() -> None:
    """After some failures jobs fail at once; those that wait for a slot too; a probe tells more."""

    async def scenario() -> None:
        with socket.create_server(("127.0.0.1", 0)) as nobody:
            port = nobody.getsockname()[1]
        async with open_pool(slots=1) as pool:
            jobs = [spawn(ask, pool, port) for _ in range(20)]
            await asyncio.wait(jobs)
            kinds = [type(job.exception()) for job in jobs]
            assert kinds == [NotSent] * FAILURES_MAX + [HostResting] * (20 - FAILURES_MAX)
            with pytest.raises(HostResting, match=f"http://127.0.0.1:{port}: 3 connections"):
                await spawn(ask, pool, port)
            (host,) = pool.stats()
            assert (host.health.state, host.sockets.opened_total) == ("resting", FAILURES_MAX)
            # Somebody listens there again; the rest is over.
            pool._hosts[host.origin].health._rests_until = 0.0
            with http_server(port=port) as server:
                assert await spawn(ask, pool, port) == b"fine"
                assert await spawn(ask, pool, port) == b"fine"
                assert server.connections_total == 1
            assert pool.stats()[0].health.state == "good"

    run(scenario)


def test_a_timer_that_is_due_at_once_is_nobody_elses_trouble() -> None:
    """uvloop gives a handle that cannot say when; the next one who waits is given his time."""

    async def main() -> None:
        host = HostPool(Origin("http", "h", 80), SlotQueue(size=1, max_waiting=10))
        lease = await spawn(host.lease, 1.0, Terms())
        waits = [spawn(host.lease, timeout_s, Terms()) for timeout_s in (0.0004, BOUND_S)]
        with pytest.raises(PoolTimeout):
            await waits[0]
        lease.release()
        (await waits[1]).release()
        host.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


def test_a_probe_whose_answer_takes_long_is_no_reason_to_wait() -> None:
    """That the host takes connections is known as the probe is sent, not when it is answered."""
    release = threading.Event()

    def answer(exchange: Exchange) -> None:
        if exchange.target == "/slow":
            release.wait(BOUND_S)
        exchange.ok(b"fine")

    async def scenario() -> None:
        with http_server(answer) as server:
            origin = Origin("http", "127.0.0.1", server.port)
            async with open_pool() as pool:
                health = pool._host(origin).health
                for _ in range(FAILURES_MAX):
                    health.failed(now=-1000.0)
                assert health.stats().state == "resting"
                probe = spawn(ask, pool, server.port, "/slow")
                await until(lambda: server.requests)
                assert await spawn(ask, pool, server.port) == b"fine"
                release.set()
                assert await probe == b"fine"

    run(scenario)


def test_an_old_transfer_s_end_says_nothing_of_the_host_now() -> None:
    """A stream that began before the host went away ends: the host rests on."""
    release = threading.Event()

    def answer(exchange: Exchange) -> None:
        release.wait(BOUND_S)
        exchange.ok(b"fine")

    async def scenario() -> None:
        with http_server(answer) as server:
            origin = Origin("http", "127.0.0.1", server.port)
            async with open_pool() as pool:
                old = spawn(ask, pool, server.port)
                await until(lambda: server.requests)
                health = pool._host(origin).health
                for _ in range(FAILURES_MAX):
                    health.failed(now=asyncio.get_running_loop().time())
                release.set()
                assert await old == b"fine"
                assert health.stats().state == "resting"

    run(scenario)


def test_a_probe_that_is_cancelled_leaves_the_next_one_to_probe() -> None:
    """Its slot and its part both come back."""

    async def scenario() -> None:
        async with open_pool() as pool:
            health = pool._host(ORIGIN).health
            for _ in range(FAILURES_MAX):
                health.failed(now=-1000.0)
            pool.lease(ORIGIN).release()
            assert health.stats().state == "resting"
            pool.lease(ORIGIN).release()

    run(scenario)


def test_a_host_that_asks_for_less_is_given_less() -> None:
    """Each 503 or 429 takes one of its slots away; good answers bring them back."""
    statuses = ["503 Slow Down"] * 4 + ["429 Too Many Requests"] * 2 + ["404 Not Found"] * 99

    def answer(exchange: Exchange) -> None:
        exchange.ok(b"fine", status=statuses.pop(0))

    async def scenario() -> None:
        with http_server(answer) as server:
            async with open_pool(slots=8) as pool:
                seen = []
                for _ in range(6 + 2 + 3):
                    await spawn(ask, pool, server.port)
                    seen.append(pool.stats()[0].slots.slots_num)
                assert seen == [7, 6, 5, 4, 3, 2, 2, 3, 3, 3, 4]
                (host,) = pool.stats()
                assert (host.slots_most_num, host.shrinks_total) == (8, 6)
                pool.overloaded(host.origin)
                assert pool.stats()[0].slots.slots_num == 3
                pool.resize(slots_per_host=2, total_slots=None)
                assert pool.stats()[0].slots.slots_num == 2
                pool.overloaded(OTHER)  # a host that nobody uses: nothing to do

    run(scenario)


def test_a_host_that_drops_every_request_is_not_asked_by_everybody() -> None:
    """It takes connections, but after some requests without an answer jobs fail at once."""

    def answer(exchange: Exchange) -> None:
        if len(server.requests) <= BREAKS_MAX:
            exchange.reset()
        else:
            exchange.ok(b"fine")

    async def scenario() -> None:
        async with open_pool(slots=1) as pool:
            jobs = [spawn(ask, pool, server.port) for _ in range(20)]
            await asyncio.wait(jobs)
            kinds = [type(job.exception()) for job in jobs]
            assert kinds == [OutcomeUnknown] * BREAKS_MAX + [HostResting] * (20 - BREAKS_MAX)
            (host,) = pool.stats()
            assert (host.health.state, len(server.requests)) == ("resting", BREAKS_MAX)
            pool._hosts[host.origin].health._rests_until = 0.0
            assert await spawn(ask, pool, server.port) == b"fine"
            assert pool.stats()[0].health.breaks_in_row_num == 0

    with http_server(answer) as server:
        run(scenario)
