"""The requests of one connection that are not done, and which may come beside them."""

from typing import Any

import pytest

from botod.ipc.descriptors import Descriptor
from botod.ipc.errors import Code, RpcError
from botod.ipc.exchange import Brought, Exchange, Sender
from botod.ipc.in_flight import InFlight, RequestId
from botod.ipc.limits import Account, Budget, Refusals, ServerLimits
from support.ipc import unheard

SENDER = Sender(pid=1, uid=1, gid=1, connection_id=1)
LIMITS = ServerLimits(
    in_flight_per_peer=3,
    in_flight_per_uid=5,
    unread_bytes=100,
    descriptors_per_uid=2,
    requests_per_s_per_uid=10,
)


@pytest.fixture
def account() -> Account:
    """A user's, who may ask ten times at once."""
    return Account(1, Budget(1000), now=0.0, rate=LIMITS.requests_per_s_per_uid)


@pytest.fixture
def in_flight(account: Account) -> InFlight:
    """A connection's of this user."""
    return InFlight(account, LIMITS, Refusals())


def add(in_flight: InFlight, number: RequestId = 9, **what: Any) -> Exchange:
    """One more, of which nothing is special."""
    brought = Brought([Descriptor(-1)] * what.pop("fds_num", 0))
    exchange = unheard(number, brought=brought)
    in_flight.add(exchange, **{"unread_bytes": 0, "now": 0.0} | what)
    return exchange


def add_and_remove(in_flight: InFlight, **what: Any) -> None:
    """One more, which is done at once."""
    in_flight.remove(add(in_flight, **what))


def test_an_id_is_free_again_when_its_request_is_done(in_flight: InFlight) -> None:
    """Two in flight could not be told apart; requests without an id need not be."""
    first = add(in_flight, 1)
    nameless = add(in_flight, None)
    with pytest.raises(RpcError, match="the id 1 is in flight") as caught:
        add(in_flight, 1)
    assert caught.value.code == Code.INVALID_REQUEST
    add(in_flight, None)
    in_flight.remove(first)
    in_flight.remove(nameless)
    add(in_flight, 1)
    assert (len(in_flight), in_flight.requests_total) == (2, 4)


@pytest.mark.parametrize(
    ("others", "what", "limit"),
    [
        (3, {}, "in_flight_per_peer"),
        (0, {"unread_bytes": 100}, "unread_bytes"),
    ],
)
def test_each_limit_is_the_first_that_is_refused(
    in_flight: InFlight, others: int, what: dict[str, int], limit: str
) -> None:
    """One less is fine; the error names the limit, and says that asking again may help."""
    for number in range(others):
        add(in_flight, number)
    if what:
        add_and_remove(in_flight, **{key: value - 1 for key, value in what.items()})
    with pytest.raises(RpcError) as caught:
        add(in_flight, **what)
    assert caught.value.code == Code.OVERLOADED
    assert caught.value.data["limit"] == limit


def test_a_user_s_other_connections_count(in_flight: InFlight, account: Account) -> None:
    """Else one would connect as often as one likes."""
    account.in_flight_num = LIMITS.in_flight_per_uid
    with pytest.raises(RpcError) as caught:
        add(in_flight)
    assert caught.value.data["limit"] == "in_flight_per_uid"


def test_descriptors_are_refused_to_who_brings_one(in_flight: InFlight, account: Account) -> None:
    """Other requests of the user are no worse off."""
    account.descriptors_num = LIMITS.descriptors_per_uid + 1
    add_and_remove(in_flight)
    with pytest.raises(RpcError) as caught:
        add(in_flight, fds_num=1)
    assert caught.value.data["limit"] == "descriptors_per_uid"


def test_a_request_that_is_refused_takes_no_turn(in_flight: InFlight) -> None:
    """Only what may begin counts against the rate."""
    for _ in range(50):
        with pytest.raises(RpcError):
            add(in_flight, unread_bytes=100)
    for _ in range(10):
        add_and_remove(in_flight)
    with pytest.raises(RpcError, match="more than 10 requests a second"):
        add(in_flight)
    add(in_flight, now=0.1)


def test_the_account_knows_what_is_in_flight(in_flight: InFlight, account: Account) -> None:
    """Over all of the user's connections."""
    one = add(in_flight, 1)
    assert account.in_flight_num == 1
    in_flight.remove(one)
    assert account.in_flight_num == 0


def test_cancelling_what_there_is_not_is_nothing(in_flight: InFlight) -> None:
    """It may have been answered meanwhile."""
    one = add(in_flight, 1)
    in_flight.cancel(2)
    assert not one.is_cancelled
    in_flight.cancel(1)
    assert one.is_cancelled


def test_what_goes_on_when_the_peer_is_gone(in_flight: InFlight) -> None:
    """Notifications, and what was asked to be finished; all else is ended."""
    plain, finish = unheard(1), unheard(2, on_hangup="finish")
    notification = unheard(None, is_notification=True)
    for one in (plain, finish, notification):
        in_flight.add(one, unread_bytes=0, now=0.0)
    in_flight.hang_up()
    assert [one.is_cancelled for one in (plain, finish, notification)] == [True, False, False]
