"""Bodies of jobs: what is held, what is streamed, what goes by descriptors."""

import asyncio
import contextlib
import os

import pytest

from botod.daemon.bodies import SMALL_BYTES
from botod.daemon.services.errors import AnswerTooLarge
from botod.daemon.services.shapes import InvalidParam
from botod.ipc.descriptors import Descriptor
from botod.ipc.errors import Code, RpcError
from support.bodies import LARGE, Rig, pipe, streamed, thread, write_all


def _write_until_it_breaks(fd: int) -> None:
    with contextlib.suppress(BrokenPipeError):
        write_all(fd, LARGE, close=False)


def test_bytes_stay_bytes() -> None:
    """What is at hand is sent as it is."""
    one = Rig()
    assert one.put(b"miaow") == b"miaow"
    assert one.moved.sent_bytes == 5
    assert one.put(b"miaow", ContentLength=5) == b"miaow"
    with pytest.raises(InvalidParam, match="ContentLength is 6; Body has 5 bytes"):
        one.put(b"miaow", ContentLength=6)


def test_no_memory_for_a_pipe() -> None:
    """The budget over all peers refuses by name."""
    one = Rig(total_bytes=100_000)
    with pipe() as (reader, writer), thread(lambda: _write_until_it_breaks(writer)):
        with pytest.raises(RpcError) as caught:
            one.put(Descriptor(reader))
        os.close(reader)
    assert (caught.value.code, caught.value.data["limit"]) == (Code.OVERLOADED, "buffered_bytes")
    assert one.refusals.by_limit() == {"buffered_bytes": 1}


def test_a_pipe_s_length_is_said_once() -> None:
    """Or twice the same."""
    with pipe() as (reader, _writer), pytest.raises(InvalidParam, match="ContentLength is 6; Body"):
        Rig().put(Descriptor(reader, length=5), ContentLength=6)


@pytest.mark.parametrize("pieces", [[], [b"miaow"], [b"x" * 60_000, b"y" * 60_000, b"z"]])
@pytest.mark.parametrize("says_length", [True, False])
def test_a_stream_is_sent(pieces: list[bytes], says_length: bool) -> None:
    """With its length said it passes, else it is held."""
    content = b"".join(pieces)
    params = {"ContentLength": len(content)} if says_length else {}
    assert asyncio.run(streamed(Rig(), list(pieces), **params)) == content


@pytest.mark.parametrize("says_length", [True, False])
def test_a_stream_that_breaks_off(says_length: bool) -> None:
    """What had come is not stored as if it were all."""
    broken = RpcError(Code.STREAM_BROKEN, "the sender broke off")
    params = {"ContentLength": 100_000} if says_length else {}
    with pytest.raises(RpcError, match="broke off"):
        asyncio.run(streamed(Rig(), [b"x" * 60_000, broken], **params))


@pytest.mark.parametrize("size", [0, SMALL_BYTES])
def test_an_object_that_is_small_comes_inline(size: int) -> None:
    """Also to a peer that reads streams."""
    one = Rig(can_stream=True)
    result = one.get(b"x" * size)
    assert result == {"Body": b"x" * size, "ETag": "x"}
    assert one.bodies is not None
    assert one.bodies.streamed is None
    assert one.moved.received_bytes == size


@pytest.mark.parametrize("says_length", [True, False])
def test_an_object_that_is_large_is_left_to_be_streamed(says_length: bool) -> None:
    """If the peer reads streams; not a byte of it is read."""
    one = Rig(can_stream=True)
    result = one.get(b"x" * (SMALL_BYTES + 1), says_length=says_length)
    assert one.bodies is not None
    assert result["Body"] is one.bodies.streamed
    assert one.moved.received_bytes == 0


@pytest.mark.parametrize("says_length", [True, False])
def test_an_object_comes_inline_to_a_peer_without_streams(says_length: bool) -> None:
    """Whole, whatever its size up to what can be held."""
    assert Rig().get(LARGE, says_length=says_length)["Body"] == LARGE


@pytest.mark.parametrize("says_length", [True, False])
def test_an_object_that_is_too_large_to_be_held(
    monkeypatch: pytest.MonkeyPatch, says_length: bool
) -> None:
    """Refused; the transfer is closed."""
    monkeypatch.setattr("botod.daemon.services.answers.MAX_ANSWER_BYTES", 1_000_000)
    one = Rig()
    with pytest.raises(AnswerTooLarge):
        one.get(LARGE, says_length=says_length)
    assert one.response.is_closed


@pytest.mark.parametrize("says_length", [True, False])
def test_no_memory_for_an_object(says_length: bool) -> None:
    """Refused before it is read; the transfer is closed."""
    one = Rig(total_bytes=1_000_000)
    with pytest.raises(RpcError) as caught:
        one.get(LARGE, says_length=says_length)
    assert caught.value.data["limit"] == "buffered_bytes"
    assert one.response.is_closed
