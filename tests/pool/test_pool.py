"""Leases: who has a slot, who waits for one, and what becomes of it."""

import asyncio

import pytest

from botod.pool import Pool, PoolClosed, PoolFull, PoolTimeout, sleep, spawn, spawn_until
from botod.pool import pool as pool_module
from botod.pool.transfer import Origin
from support.loops import run, until
from support.pools import assert_idle, open_pool

ORIGIN = Origin("http", "s3.test", 80)


def hold(pool: Pool, seconds: float, events: list[str] | None = None, name: str = "") -> None:
    """Have a slot for some time."""
    lease = pool.lease(ORIGIN)
    try:
        if events is not None:
            events.append(name)
        sleep(seconds)
    finally:
        lease.release()


def test_slots_are_had_by_so_many_at_once_and_in_order() -> None:
    """Two slots, six greenlets: never more than two have one, and they come in turn."""

    async def scenario() -> None:
        events: list[str] = []
        async with open_pool(slots=2) as pool:
            jobs = [spawn(hold, pool, 0, events, str(number)) for number in range(6)]
            await until(lambda: all(job.done() for job in jobs))
            (host,) = pool.stats()
            assert host.slots.leases_total == 6
            assert host.slots.waits_total == 4
        assert events == ["0", "1", "2", "3", "4", "5"]

    run(scenario)


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


def test_each_host_has_slots_of_its_own() -> None:
    """A host whose slots are all in use keeps nobody from another, port and scheme included."""

    async def scenario() -> None:
        async with open_pool(slots=1, max_waiting=0) as pool:
            leases = [
                pool.lease(origin)
                for origin in (
                    ORIGIN,
                    ORIGIN._replace(scheme="https"),
                    ORIGIN._replace(port=81),
                    ORIGIN._replace(host="sqs.test"),
                )
            ]
            with pytest.raises(PoolFull, match=r"http://s3\.test:80: 0 wait"):
                pool.lease(ORIGIN)
            for lease in leases:
                lease.release()

    run(scenario)


def test_too_many_waiting_is_refused_at_once() -> None:
    """The bound on those who wait is an error, not a longer queue."""

    async def scenario() -> None:
        async with open_pool(slots=1, max_waiting=1) as pool:
            lease = pool.lease(ORIGIN)
            waiting = spawn(hold, pool, 0)
            await until(lambda: pool.stats()[0].slots.waiting_num)
            with pytest.raises(PoolFull, match="1 wait for a slot already"):
                await spawn(hold, pool, 0)
            lease.release()
            await waiting

    run(scenario)


def test_waiting_too_long_is_an_error() -> None:
    """The pool's own bound, and a deadline of the greenlet where that is sooner."""

    async def scenario() -> None:
        async with open_pool(slots=1, slot_timeout_s=0.05) as pool:
            lease = pool.lease(ORIGIN)
            with pytest.raises(PoolTimeout, match=r"http://s3\.test:80: no slot became free in 0"):
                await spawn(hold, pool, 0)
            deadline = asyncio.get_running_loop().time() + 0.01
            with pytest.raises(PoolTimeout, match="by the deadline"):
                await spawn_until(deadline, hold, pool, 0)
            lease.release()
            assert pool.stats()[0].slots.timeouts_total == 1

    run(scenario)


def test_a_slot_handed_to_somebody_just_cancelled_goes_on_to_the_next() -> None:
    """Release and cancel in one turn of the loop, in either order: no slot is lost."""

    async def scenario() -> None:
        async with open_pool(slots=1) as pool:
            for cancel_first in (False, True):
                lease = pool.lease(ORIGIN)
                cancelled, follower = spawn(hold, pool, 0), spawn(hold, pool, 0)
                await until(lambda: pool.stats()[0].slots.waiting_num == 2)
                steps = [lease.release, cancelled.cancel]
                for step in reversed(steps) if cancel_first else steps:
                    step()
                with pytest.raises(asyncio.CancelledError):
                    await cancelled
                await follower
                await assert_idle(pool)

    run(scenario)


def test_a_closed_pool_refuses_those_who_wait_and_those_who_come() -> None:
    """Nobody is left waiting for a slot that never comes."""

    async def scenario() -> None:
        async with open_pool(slots=1) as pool:
            lease = pool.lease(ORIGIN)
            waiting = spawn(hold, pool, 0)
            await until(lambda: pool.stats()[0].slots.waiting_num)
            pool.close()
            with pytest.raises(PoolClosed, match=r"http://s3\.test:80"):
                await waiting
            with pytest.raises(PoolClosed):
                await spawn(hold, pool, 0)
            lease.release()

    run(scenario)


def test_host_pools_that_nobody_uses_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Buckets have host names of their own; a daemon that lives long must not keep them all."""
    monkeypatch.setattr(pool_module, "HOSTS_MAX", 3)

    async def scenario() -> None:
        async with open_pool() as pool:
            used = pool.lease(ORIGIN)
            for number in range(10):
                pool.lease(Origin("http", f"bucket-{number}.test", 80)).release()
            assert len(pool.stats()) <= 4
            assert ORIGIN in {host.origin for host in pool.stats()}
            used.release()

    run(scenario)
