"""The answer to a request, and whether the request may be sent again."""

from typing import Any

import pytest

from botod.ipc.errors import DaemonUnavailable
from botod.ipc.flows import Inflow, Outflow
from botod.ipc.reply import NothingDone, Reply, nothing_done

ABSENT = DaemonUnavailable("gone")
NOTHING = NothingDone(ABSENT)


def settled(error: Exception | None = None, sent_bytes: int | None = None) -> Reply:
    """One that is done; sent_bytes: of its stream, if it has one."""
    reply = Reply(1)
    if sent_bytes is not None:
        reply.outflow = Outflow(1)
        reply.outflow.sent_bytes = sent_bytes
    reply.settle("value", error)
    return reply


def test_a_result_is_there_once_it_is_settled() -> None:
    """To ask before is a mistake of ours; the first settling counts."""
    reply = Reply(1)
    with pytest.raises(AssertionError, match="before the answer"):
        reply.result()
    reply.settle("value")
    reply.settle(error=ABSENT)
    assert reply.result() == reply.outcome() == "value"


def test_what_went_wrong_is_raised_or_handed_on() -> None:
    """What is inside NothingDone, not the wrapping: it is of no use to the caller."""
    for error in (ABSENT, NOTHING):
        assert settled(error).outcome() is ABSENT
        with pytest.raises(DaemonUnavailable, match="gone"):
            settled(error).result()


@pytest.mark.parametrize(
    ("value", "has_streams", "has_inflow"),
    [
        ({"Body": Inflow(1)}, True, True),
        ({"Body": b"x"}, True, False),  # what it declares is not used where one looks
        ([Inflow(1)], True, False),
        ({"Body": b"x"}, False, False),
    ],
)
def test_a_body_that_still_comes_is_seen(
    value: Any, *, has_streams: bool, has_inflow: bool
) -> None:
    """It keeps the connection; looked for only if the answer declares streams."""
    reply = Reply(1)
    reply.has_streams = has_streams
    reply.settle(value)
    assert reply.has_inflow is has_inflow


def test_who_waits_is_told_once_and_the_stream_stops() -> None:
    """An answer that comes before all was sent ends the sending."""
    told: list[str] = []
    reply = Reply(1)
    reply.on_change = lambda: told.append("reply")
    reply.outflow = Outflow(1)
    reply.outflow.on_change = lambda: told.append("outflow")
    reply.settle("value")
    reply.settle("again")
    assert told == ["outflow", "reply"]
    assert not reply.outflow.is_wanted


@pytest.mark.parametrize(
    ("replies", "may_repeat"),
    [
        ([settled(NOTHING)], True),
        ([settled(NOTHING), settled(NOTHING)], True),
        ([settled(NOTHING), settled()], False),
        ([settled(NOTHING), settled(ABSENT)], False),
        ([settled(ABSENT)], False),
        ([settled()], False),
        ([settled(NOTHING, sent_bytes=0)], True),
        ([settled(NOTHING, sent_bytes=1)], False),
    ],
)
def test_a_message_is_sent_again_only_whole(replies: list[Reply], may_repeat: bool) -> None:
    """If nothing of it was done, and what it sends has not begun to be used up."""
    nothing = nothing_done(replies)
    assert (nothing is NOTHING) is may_repeat
    assert nothing is NOTHING or nothing is None
