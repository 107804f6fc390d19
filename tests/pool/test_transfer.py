"""One exchange as its two ends see it, without curl and without a network."""

import asyncio
import time
from collections.abc import Callable
from functools import partial

import pycurl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from botod.pool import spawn
from botod.pool.origin import Origin
from botod.pool.request import Request
from botod.pool.transfer import Failure, State, Transfer
from botod.pool.upload import HIGH_BYTES, Upload
from support.loops import run

ORIGIN = Origin("http", "127.0.0.1", 80)


def nothing(_transfer: Transfer) -> None:
    """Take no notice of the end."""


def transfer(
    upload: Upload | None = None, on_end: Callable[[Transfer], None] = nothing
) -> Transfer:
    """A transfer that curl has not begun."""
    return Transfer(Request("PUT", ORIGIN, "/k", (), upload), on_end=on_end)


def test_it_is_sent_once() -> None:
    """curl asks before each sending; the second time it is told to give up."""
    once = transfer()
    assert once.curl_ready() == pycurl.PREREQFUNC_OK
    assert once.state is State.SENDING
    assert once.curl_ready() == pycurl.PREREQFUNC_ABORT


def test_the_head_is_complete_at_its_empty_line() -> None:
    """Header lines are gathered; the empty one says that the answer has begun."""
    answered = transfer()
    answered.curl_ready()
    answered.curl_header(b"HTTP/1.1 200 OK\r\n")
    answered.curl_header(b"ETag: x\r\n")
    assert answered.state is State.SENDING
    answered.curl_header(b"\r\n")
    assert answered.state is State.ANSWERING
    assert answered.head == [b"HTTP/1.1 200 OK\r\n", b"ETag: x\r\n"]


def test_an_interim_answer_is_not_the_answer() -> None:
    """The head of a 100 Continue is dropped."""
    expecting = transfer()
    expecting.curl_ready()
    for line in (b"HTTP/1.1 100 Continue\r\n", b"\r\n", b"HTTP/1.1 204 No Content\r\n", b"\r\n"):
        expecting.curl_header(line)
    assert expecting.head == [b"HTTP/1.1 204 No Content\r\n"]


def test_a_trailer_is_not_read() -> None:
    """Header lines after the body change nothing."""
    ended = transfer()
    ended.curl_ready()
    for line in (b"HTTP/1.1 200 OK\r\n", b"\r\n", b"x-amz-trailer: 1\r\n", b"\r\n"):
        ended.curl_header(line)
    assert ended.head == [b"HTTP/1.1 200 OK\r\n"]


def test_an_answer_that_nobody_reads_pauses_curl() -> None:
    """From HIGH_BYTES unread bytes on, curl is told to wait; memory stays bounded."""
    unread = transfer()
    assert unread.curl_write(b"x" * HIGH_BYTES) is None
    assert unread.curl_write(b"y") == pycurl.WRITEFUNC_PAUSE
    assert unread.receiving_paused
    assert unread.unread_bytes == HIGH_BYTES


@given(st.lists(st.binary(max_size=20)), st.lists(st.integers(0, 15)))
def test_what_is_taken_is_what_was_written(chunks: list[bytes], sizes: list[int]) -> None:
    """Whatever the sizes asked for, the bytes come out whole and in order."""
    read = transfer()
    for chunk in chunks:
        read.curl_write(chunk)
    whole = b"".join(chunks)
    taken = b""
    for size in sizes:
        if size <= len(whole) - len(taken):
            piece = b"".join(read.take(size))
            assert len(piece) == size
            taken += piece
            assert read.unread_bytes == len(whole) - len(taken)
    assert taken + b"".join(read.take(None)) == whole


def test_a_body_that_has_not_come_yet_pauses_curl() -> None:
    """Nothing to send and something owed: pause; all sent: the end, which is empty."""
    upload = Upload(3)
    paused = transfer(upload)
    assert paused.curl_read(10) == pycurl.READFUNC_PAUSE
    assert upload.paused
    upload.feed(b"abc")
    assert paused.curl_read(10) == b"abc"
    assert paused.curl_read(10) == b""


def test_the_end_comes_once() -> None:
    """A second end neither changes the first nor calls back again."""
    ends: list[Transfer] = []
    ended = transfer(on_end=ends.append)
    ended.end(State.FAILED, Failure(7, "refused"))
    ended.end(State.COMPLETE)
    assert ended.state is State.FAILED
    assert ended.failure == Failure(7, "refused")
    assert ends == [ended]


def test_no_way_leads_out_of_the_end() -> None:
    """A callback that comes after the end is a bug, and is told as one."""
    ended = transfer()
    ended.end(State.ABORTED)
    with pytest.raises(AssertionError, match="cannot become sending"):
        ended.curl_ready()


async def woken_by(change: Callable[[], object], park: Callable[[], None]) -> bool:
    """Whether a change wakes who is parked."""
    parked = spawn(park)
    await asyncio.sleep(0)
    change()
    assert not parked.done(), "woken inside a callback of curl's"
    await asyncio.sleep(0)
    is_woken = parked.done()
    parked.cancel()
    return is_woken


def test_whoever_waits_hears_of_each_change() -> None:
    """State, bytes to read and room to write each wake whoever asked for a change.

    That it is being sent does only if it is asked for.
    """
    upload = Upload(HIGH_BYTES + 1)
    upload.feed(b"x" * HIGH_BYTES)
    watched = transfer(upload)
    unwoken, sent = transfer(), transfer()

    async def scenario() -> None:
        assert not await woken_by(unwoken.curl_ready, unwoken.park)
        assert await woken_by(sent.curl_ready, partial(sent.park, or_sent=True))
        for change in (
            partial(watched.curl_read, 1),
            partial(watched.curl_write, b"x"),
            partial(watched.end, State.COMPLETE),
        ):
            assert await woken_by(change, watched.park)

    run(scenario)


def test_all_who_wait_hear_of_a_change() -> None:
    """Who sends and who reads may be two; each is woken once."""
    watched = transfer()

    async def scenario() -> None:
        both = [spawn(watched.park) for _ in range(2)]
        await asyncio.sleep(0)
        watched.curl_write(b"x")
        await asyncio.gather(*both)

    run(scenario)


def test_a_million_tiny_pieces_are_no_heavy_work() -> None:
    """Both ways, in and out: within a second of CPU, where each by itself took a minute."""
    began = time.thread_time()
    read, upload = transfer(), Upload(1_000_000)
    for _ in range(1_000_000):
        read.curl_write(b"x")
        upload.feed(b"x")
    assert sum(len(b"".join(read.take(8192))) for _ in range(123)) == 1_000_000
    assert sum(len(upload.pull(16384) or b"") for _ in range(62)) == 1_000_000
    used_s = time.thread_time() - began
    print(f"{used_s:.2f} s of CPU for two million pieces")  # noqa: T201
    assert used_s < 10
