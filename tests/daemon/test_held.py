"""What a job holds of the budget over all peers."""

import asyncio

import pytest

from botod.daemon.held import Held, current_held, hold_in, holding
from botod.ipc.errors import Code, RpcError
from botod.ipc.limits import Budget, Refusals
from botod.pool import spawn, wait


def test_all_of_it_is_given_back() -> None:
    """Once, whenever that is."""
    budget = Budget(100)
    held = Held(budget, Refusals())
    held.take(30)
    held.take(40)
    assert budget.used_bytes == 70
    held.release()
    held.release()
    assert budget.used_bytes == 0


def test_what_has_to_be_held_is_held() -> None:
    """Over the bound if need be; it is given back as the rest."""
    budget = Budget(100)
    held = Held(budget, Refusals())
    held.force(150)
    assert budget.used_bytes == 150
    held.release()
    assert budget.used_bytes == 0


def test_more_than_one_user_may_have() -> None:
    """Refused by that limit's name."""
    budget = Budget(10, limit="buffered_bytes_per_uid", whole=Budget(100))
    with pytest.raises(RpcError, match="over buffered_bytes_per_uid") as caught:
        Held(budget, Refusals()).take(11)
    assert caught.value.data["limit"] == "buffered_bytes_per_uid"


def test_a_job_s_greenlet_knows_what_it_holds() -> None:
    """As does all that it spawns; outside there is nothing."""

    async def main() -> None:
        held = Held(Budget(100), Refusals())
        with holding(held):
            future = spawn(current_held)
        assert current_held() is None
        assert await future is held

    asyncio.run(main())


def test_a_greenlet_may_say_itself_what_it_holds() -> None:
    """From there on, and for what it spawns then; nobody else has it."""

    async def main() -> None:
        held = Held(Budget(100), Refusals())

        def job() -> list[Held | None]:
            hold_in(held)
            return [current_held(), wait(spawn(current_held))]

        assert await spawn(job) == [held, held]
        assert current_held() is None

    asyncio.run(main())


def test_more_than_there_is() -> None:
    """Refused by name and counted; what was taken before stays taken."""
    budget, refusals = Budget(100), Refusals()
    held = Held(budget, refusals)
    held.take(60)
    with pytest.raises(RpcError) as caught:
        held.take(41)
    assert caught.value.code == Code.OVERLOADED
    assert caught.value.data["limit"] == "buffered_bytes"
    assert caught.value.data["retryable"] is True
    assert refusals.by_limit() == {"buffered_bytes": 1}
    assert budget.used_bytes == 60


def test_a_part_may_be_given_back() -> None:
    """Never more than is held: the job may have ended, and given all back, before."""
    budget = Budget(100)
    held = Held(budget, Refusals())
    assert held.try_take(60)
    assert not held.try_take(50)
    held.give_back(20)
    assert budget.used_bytes == 40
    held.release()
    held.give_back(40)
    assert budget.used_bytes == 0
