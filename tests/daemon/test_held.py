"""What a job holds of the budget over all peers."""

import pytest

from botod.daemon.held import Held
from botod.ipc.errors import Code, RpcError
from botod.ipc.limits import Budget, Refusals


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
