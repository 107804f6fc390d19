"""A client's streams: what may be sent, what came, and what is let come."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botod.ipc.controls import CHUNK_BYTES
from botod.ipc.errors import Code, StreamBroken
from botod.ipc.flows import CREDIT_BYTES, Inflow, Outflow
from botod.ipc.writing import Written

BROKEN = StreamBroken(Code.STREAM_BROKEN, "it broke")


def params(written: Written | None) -> dict[str, int]:
    """Of a message that says something."""
    assert written is not None
    said: dict[str, int] = json.loads(written.pieces[0])["params"]
    return said


def test_what_came_is_taken_in_order() -> None:
    """None is not the end: more may come."""
    inflow = Inflow(7)
    assert (inflow.take(), inflow.has_news) == (None, False)
    inflow.feed(b"a")
    inflow.feed(b"")
    inflow.feed(b"b")
    assert [inflow.take(), inflow.take(), inflow.take()] == [b"a", b"b", None]
    inflow.end(None)
    assert (inflow.take(), inflow.take()) == (b"", b"")


def test_what_came_before_a_break_is_taken_before_it_is_told() -> None:
    """Then it is raised each time: a reader that goes on does not take the end for a good one."""
    inflow = Inflow(7)
    inflow.feed(b"a")
    inflow.end(BROKEN)
    assert inflow.take() == b"a"
    for _ in range(2):
        with pytest.raises(StreamBroken):
            inflow.take()


def test_the_first_end_counts() -> None:
    """What comes behind it, or a hang-up, changes nothing."""
    inflow = Inflow(7)
    inflow.end(None)
    inflow.end(BROKEN)
    inflow.feed(b"late")
    assert inflow.take() == b""


def test_who_waits_is_told() -> None:
    """Of each piece and of the end, once; of nothing that cannot be taken."""
    told: list[int] = []
    inflow = Inflow(7)
    inflow.on_change = lambda: told.append(1)
    inflow.feed(b"")
    inflow.feed(b"a")
    inflow.end(None)
    inflow.end(None)
    assert len(told) == 2


def test_a_whole_one() -> None:
    """What is here already is read as what comes."""
    inflow = Inflow.whole(b"abc")
    assert (inflow.take(), inflow.take()) == (b"abc", b"")
    assert Inflow.whole(b"").take() == b""


@given(st.lists(st.integers(1, CREDIT_BYTES), max_size=40))
def test_credit_keeps_the_window_open_and_no_wider(sizes: list[int]) -> None:
    """What was granted is what was taken: so no more than the window ever lies here."""
    inflow, granted, taken = Inflow(7), CREDIT_BYTES, 0
    for size in sizes:
        size = min(size, granted - taken)  # noqa: PLW2901 - the daemon keeps to it
        inflow.feed(bytes(size))
        taken += len(inflow.take() or b"")
        credit = inflow.credit()
        if credit is not None:
            said = params(credit)
            assert said["stream"] == 7
            assert said["bytes"] >= CREDIT_BYTES // 2
            granted += said["bytes"]
        assert granted - taken <= CREDIT_BYTES
        assert granted - taken > CREDIT_BYTES // 2, "the daemon could come to wait for us"


def test_an_end_needs_no_credit_and_no_cancel() -> None:
    """Nothing of it is on its way any more."""
    inflow = Inflow.whole(bytes(CREDIT_BYTES))
    inflow.take()
    assert inflow.credit() is None
    assert inflow.cancel() is None


def test_what_is_not_wanted_is_forgotten() -> None:
    """The daemon is told by the stream's number."""
    inflow = Inflow(7)
    inflow.feed(b"a")
    assert params(inflow.cancel()) == {"stream": 7}
    assert inflow.take() is None


def test_a_piece_has_room_while_it_is_wanted() -> None:
    """At most what one message carries, and what the daemon granted; nothing once it is enough."""
    outflow = Outflow(3)
    assert outflow.room_bytes == 0
    outflow.credit_bytes = CHUNK_BYTES + 5
    assert outflow.room_bytes == CHUNK_BYTES
    written = outflow.data(bytes(CHUNK_BYTES))
    assert written.pieces[-1] == bytes(CHUNK_BYTES)
    assert (outflow.room_bytes, outflow.sent_bytes) == (5, CHUNK_BYTES)
    with pytest.raises(AssertionError, match="larger than it may be"):
        outflow.data(bytes(6))
    outflow.is_wanted = False
    assert outflow.room_bytes == 0
    assert params(outflow.end()) == {"stream": 3}
