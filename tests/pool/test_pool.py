"""Leases: who has a slot, who waits for one, and what becomes of it."""

import asyncio
from collections.abc import Hashable

import pytest

from botod.pool import (
    Pool,
    PoolClosed,
    PoolFull,
    PoolTimeout,
    Terms,
    on_terms,
    sleep,
    spawn,
    spawn_until,
)
from botod.pool import pool as pool_module
from botod.pool.lane import Lane
from botod.pool.origin import Origin
from botod.pool.spawned import Spawned
from botod.pool.total import TotalStats
from support.loops import run, until
from support.pools import assert_idle, open_pool

ORIGIN = Origin("http", "s3.test", 80)
OTHER = Origin("http", "sqs.test", 80)


def hold(
    pool: Pool,
    seconds: float,
    events: list[str] | None = None,
    name: str = "",
    origin: Origin = ORIGIN,
) -> None:
    """Have a slot for some time."""
    lease = pool.lease(origin)
    try:
        if events is not None:
            events.append(name)
        sleep(seconds)
    finally:
        lease.release()


def spawn_as(key: Hashable, pool: Pool, events: list[str], name: str) -> Spawned[None]:
    """Spawn `hold` on the terms of `key`."""
    with on_terms(Terms(key=key)):
        return spawn(hold, pool, 0, events, name)


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
                await spawn(pool.lease, ORIGIN)
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


def test_keys_take_turns() -> None:
    """Whoever waits does so under its terms' key: a user with many jobs delays another by one."""

    async def scenario() -> None:
        events: list[str] = []
        async with open_pool(slots=1) as pool:
            lease = pool.lease(ORIGIN)
            jobs = [spawn_as((1, "a peer"), pool, events, f"many {number}") for number in range(3)]
            jobs.append(spawn_as((2, "a peer"), pool, events, "one"))
            await until(lambda: pool.stats()[0].slots.waiting_num == 4)
            assert pool.stats()[0].slots.keys_waiting_num == 2
            lease.release()
            await asyncio.gather(*jobs)
        assert events == ["many 0", "one", "many 1", "many 2"]

    run(scenario)


def test_a_waiter_that_makes_room_is_told_that_the_pool_is_full() -> None:
    """The newcomer of another key waits in its place, and is served."""

    async def scenario() -> None:
        events: list[str] = []
        async with open_pool(slots=1, max_waiting=2) as pool:
            lease = pool.lease(ORIGIN)
            first, second = (spawn_as(1, pool, events, name) for name in ("first", "second"))
            await until(lambda: pool.stats()[0].slots.waiting_num == 2)
            other = spawn_as(2, pool, events, "other")
            with pytest.raises(PoolFull, match=r"http://s3\.test:80: 2 wait for a slot; this one"):
                await second
            lease.release()
            await asyncio.gather(first, other)
        assert events == ["first", "other"]

    run(scenario)


def test_the_bound_on_one_key_is_told_apart_from_the_bound_on_all() -> None:
    """Who is refused, at once or later, can tell its own crowd from that of others."""

    async def scenario() -> None:
        events: list[str] = []
        async with open_pool(slots=1, max_waiting=3, max_waiting_per_key=2) as pool:
            lease = pool.lease(ORIGIN)
            low, high = (spawn_as((1, level, "a"), pool, events, f"{level}") for level in (0, 5))
            await until(lambda: pool.stats()[0].slots.waiting_num == 2)
            higher = spawn_as((1, 9, "a"), pool, events, "9")
            with pytest.raises(PoolFull, match="2 with this key wait for a slot; this") as ousted:
                await low
            with pytest.raises(PoolFull, match="2 with this key wait for a slot already") as denied:
                await spawn_as((1, 5, "a"), pool, events, "none")
            other = spawn_as((2, "a"), pool, events, "other")
            await until(lambda: pool.stats()[0].slots.waiting_num == 3)
            with pytest.raises(PoolFull, match="3 wait for a slot already") as full:
                await spawn_as((2, "b"), pool, events, "none")
            assert pool.stats()[0].slots.refused_total == 3
            lease.release()
            await asyncio.gather(high, higher, other)
        limits = [error.value.limit for error in (ousted, denied, full)]
        assert limits == ["max_waiting_per_key", "max_waiting_per_key", "max_waiting"]
        assert events == ["9", "other", "5"]

    run(scenario)


def test_all_hosts_together_have_no_more_slots_than_the_total() -> None:
    """A slot given back at one host serves who waits at another."""

    async def scenario() -> None:
        async with open_pool(slots=2, total_slots=2) as pool:
            leases = [pool.lease(ORIGIN), pool.lease(ORIGIN)]
            waiting = spawn(hold, pool, 0, None, "", OTHER)
            await until(lambda: pool.total_stats().claiming_num == 1)
            assert pool.total_stats() == TotalStats(
                2, leased_num=2, polls_leased_num=0, claiming_num=1
            )
            leases[0].release()
            await waiting
            leases[1].release()
            assert pool.total_stats() == TotalStats(
                2, leased_num=0, polls_leased_num=0, claiming_num=0
            )

    run(scenario)


def test_a_pool_is_resized_while_it_runs() -> None:
    """Hosts known and hosts to come have the new sizes, and those who wait are served at once."""

    async def scenario() -> None:
        async with open_pool(slots=1) as pool:
            lease = pool.lease(ORIGIN)
            waiting = spawn(hold, pool, 0)
            await until(lambda: pool.stats()[0].slots.waiting_num)
            pool.resize(slots_per_host=2, total_slots=3)
            await waiting
            leases = [lease, pool.lease(OTHER), pool.lease(OTHER)]
            assert [host.slots.slots_num for host in pool.stats()] == [2, 2]
            assert pool.total_stats().slots_num == 3
            pool.resize(slots_per_host=1, total_slots=None)
            assert [host.slots.leased_num for host in pool.stats()] == [1, 2]
            for one in leases:
                one.release()

    run(scenario)


def test_a_drain_lets_those_finish_who_have_or_wait_for_a_slot() -> None:
    """Newcomers are refused, at a host not known yet too; then everything has come back."""

    async def scenario() -> None:
        events: list[str] = []
        async with open_pool(slots=1) as pool:
            lease = pool.lease(ORIGIN)
            waiting = spawn(hold, pool, 0, events, "waited")
            await until(lambda: pool.stats()[0].slots.waiting_num)
            drains = [asyncio.create_task(pool.drain(10)) for _ in range(2)]
            await asyncio.sleep(0)
            for origin in (ORIGIN, OTHER):
                with pytest.raises(PoolClosed, match="the pool is draining"):
                    await spawn(hold, pool, 0, None, "", origin)
            assert not any(drain.done() for drain in drains)
            lease.release()
            assert await asyncio.gather(*drains) == [True, True]
            assert waiting.done()
            assert events == ["waited"]

    run(scenario)


def test_a_drain_ends_by_its_time() -> None:
    """What does not come back in time is reported, and a later drain may still see it come."""

    async def scenario() -> None:
        async with open_pool() as pool:
            lease = pool.lease(ORIGIN)
            assert not await pool.drain(0.01)
            lease.release()
            assert await pool.drain(0.01)

    run(scenario)


@pytest.mark.parametrize("end", ["cancel", "time out", "close"])
def test_a_drain_is_over_when_the_last_waiter_gave_up_or_was_told(end: str) -> None:
    """Not only slots that come back end a drain."""

    async def scenario() -> None:
        async with open_pool(slots=1, slot_timeout_s=0.05 if end == "time out" else 10) as pool:
            pool.lease(OTHER).release()
            lease = pool.lease(ORIGIN)
            pool.resize(slots_per_host=2, total_slots=1)
            waiting = spawn(hold, pool, 0, None, "", OTHER)
            await until(lambda: pool.total_stats().claiming_num)
            drain = asyncio.create_task(pool.drain(10))
            await asyncio.sleep(0)
            if end == "cancel":
                waiting.cancel()
            elif end == "close":
                pool.close()
            await asyncio.wait([waiting])
            assert waiting.cancelled() or isinstance(waiting.exception(), PoolTimeout | PoolClosed)
            lease.release()
            assert await drain

    run(scenario)


def test_a_failure_gives_the_slot_back() -> None:
    """Greenlets that raise while they have a slot lose none to those that wait."""

    def fail(pool: Pool) -> None:
        lease = pool.lease(ORIGIN)
        try:
            sleep(0)
            raise ValueError("while it had a slot")
        finally:
            lease.release()

    async def scenario() -> None:
        async with open_pool(slots=1) as pool:
            jobs = [spawn(fail, pool) for _ in range(3)]
            for job in jobs:
                with pytest.raises(ValueError, match="while it had a slot"):
                    await job
            assert pool.stats()[0].slots.leases_total == 3

    run(scenario)


def test_a_closed_pool_refuses_hosts_it_did_not_know() -> None:
    """Closing holds for every host, also for one that nobody asked for before."""

    async def scenario() -> None:
        async with open_pool() as pool:
            pool.close()
            with pytest.raises(PoolClosed, match="the pool is closed"):
                pool.lease(OTHER)

    run(scenario)


LANE, OTHER_LANE = Lane("one"), Lane("other")
"""Two profiles, at one host."""


def test_a_held_lane_begins_nothing_and_the_others_go_on() -> None:
    """Also at hosts that are asked for the first time; let go, its waiters have their turn."""

    async def main() -> None:
        async with open_pool(slots=1, slot_timeout_s=0.05) as pool:
            events: list[str] = []
            runs = spawn(hold, pool, 0.1, events, "runs", Origin("http", "s3.test", 80, LANE))
            await until(lambda: events == ["runs"])
            pool.hold(lambda lane: lane == "one")
            waits = [
                spawn(hold, pool, 0, events, name, Origin("http", host, 80, LANE))
                for name, host in (("known", "s3.test"), ("new", "sqs.test"))
            ]
            await spawn(hold, pool, 0, events, "other", Origin("http", "s3.test", 80, OTHER_LANE))
            await pool.quiet("one")
            await runs
            await asyncio.sleep(0.1)  # twice what one waits for a slot
            assert events == ["runs", "other"]
            pool.hold(lambda _lane: False)
            await asyncio.gather(*waits)
            assert sorted(events[2:]) == ["known", "new"]

    run(main)


def test_a_held_pool_is_quiet_when_the_last_slot_is_back() -> None:
    """Whoever waits for one meanwhile; a lane that has none is quiet at once."""

    async def main() -> None:
        async with open_pool(slots=2) as pool:
            holders = [spawn(hold, pool, seconds) for seconds in (0.01, 0.05)]
            await until(lambda: pool.total_stats().leased_num == 2)
            pool.hold(lambda _lane: True)
            waits = spawn(hold, pool, 0)
            await pool.quiet("nobody's")
            assert not any(one.done() for one in holders)
            await pool.quiet(None)
            assert pool.total_stats().leased_num == 0
            assert not waits.done()
            waits.cancel()
            await asyncio.gather(*holders, waits, return_exceptions=True)

    run(main)


def test_a_held_job_ends_at_its_own_deadline() -> None:
    """Only the wait for a slot is no longer bounded by itself."""

    async def main() -> None:
        async with open_pool() as pool:
            pool.hold(lambda _lane: True)
            deadline = asyncio.get_running_loop().time() + 0.05
            with pytest.raises(PoolTimeout, match="by the deadline"):
                await spawn_until(deadline, hold, pool, 0)

    run(main)
