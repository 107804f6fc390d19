"""What goes on on one connection, at the client's end, without a socket."""

import json
from typing import Any

import pytest

from botod.ipc.conversation import Conversation
from botod.ipc.errors import (
    Code,
    DaemonLost,
    DaemonUnavailable,
    Idle,
    OtherProtocol,
    Overloaded,
    ProtocolError,
    RpcError,
    ShuttingDown,
    StreamBroken,
    TooSlow,
)
from botod.ipc.framing import MAX_BATCH, MAX_LINE_BYTES
from botod.ipc.reply import NothingDone, Reply
from botod.ipc.sending import Pieces
from support.wire import line

RESET = ConnectionResetError()


def begun(talk: Conversation, **params: Any) -> Reply:
    """A request that was written."""
    (reply,) = talk.begin("s3.m", params, {}).replies
    talk.wrote([reply])
    return reply


def greets(talk: Conversation) -> bool:
    """Whether a request whose answer may be a stream is preceded by a greeting."""
    written = talk.begin("s3.m", {}, {}, reads_streams=True)
    lines = b"".join(written.pieces).splitlines()
    assert json.loads(lines[-1])["method"] == "s3.m"
    return [json.loads(one)["method"] for one in lines[:-1]] == ["botod.hello"]


def error(code: Code, number: int | None = 1) -> bytes:
    """An answer that says so."""
    return line(jsonrpc="2.0", id=number, error={"code": int(code), "message": "no"})


def result(value: Any, number: int = 1, **more: Any) -> bytes:
    """An answer with this in it."""
    return line(jsonrpc="2.0", id=number, result=value, **more)


@pytest.fixture
def talk() -> Conversation:
    """One that has just begun."""
    return Conversation("/path")


# Whose answer it is


def test_answers_are_told_apart_by_their_numbers(talk: Conversation) -> None:
    """In whatever order they come, in whatever pieces; a number that nobody has is passed over."""
    one, two = begun(talk), begun(talk)
    assert talk.is_busy
    for byte in result("2", 2) + result("?", 9) + result("?", [1]) + result("1", 1):
        talk.receive(bytes([byte]))
    assert (one.value, two.value) == ("1", "2")
    assert talk.is_open
    assert not talk.is_busy


def test_what_cannot_be_sent_leaves_nothing(talk: Conversation) -> None:
    """The next request has the number that it would have had."""
    with pytest.raises(TypeError):
        talk.begin("s3.m", {"A": object()}, {})
    assert not talk.is_busy
    assert begun(talk).number == 1


def test_a_batch_is_as_long_as_a_line(talk: Conversation) -> None:
    """At least one request goes, whatever its size; at most as many as an array may have."""
    big = {"A": "x" * (MAX_LINE_BYTES // 2)}
    written = talk.begin_batch([("m", big), ("m", big), ("m", {})], {})
    assert [reply.number for reply in written.replies] == [1]
    written = talk.begin_batch([("m", {})] * (MAX_BATCH + 1), {})
    replies = written.replies
    assert len(replies) == MAX_BATCH
    assert len(json.loads(b"".join(written.pieces))) == MAX_BATCH
    talk.receive(b"[" + result("a", 2).strip() + b"," + error(Code.OVERLOADED, 3).strip() + b"]\n")
    assert replies[0].value == "a"
    assert isinstance(replies[1].error, Overloaded)


def test_progress_is_told_to_who_asked(talk: Conversation) -> None:
    """Nonsense and other requests' are passed over."""
    told: list[Any] = []
    written = talk.begin("s3.m", {}, {}, on_progress=told.append)
    begun(talk)
    assert json.loads(written.pieces[0])["progress"] is True
    for params in ({"id": 1, "value": {"n": 1}}, {"id": 2, "value": {}}, {"id": 1}, [], {"id": 7}):
        talk.receive(line(jsonrpc="2.0", method="$/progress", params=params))
    assert told == [{"n": 1}]


@pytest.mark.parametrize(("body", "timeout_s"), [(b"x", 60.0), (Pieces(None, 1), 900.0)])
def test_a_request_has_a_deadline(talk: Conversation, body: Any, timeout_s: float) -> None:
    """It is told to the daemon, which gives one with a stream as much time by itself."""
    written = talk.begin("s3.m", {"Body": body}, {})
    assert written.timeout_s == timeout_s
    said = json.loads(written.pieces[0]).get("timeout_s")
    assert said == (60.0 if isinstance(body, bytes) else None)


def test_a_request_that_is_answered_is_not_cancelled(talk: Conversation) -> None:
    """Its number would be told to the daemon for nothing."""
    reply = begun(talk)
    cancel = talk.cancel(reply)
    assert cancel is not None
    assert json.loads(cancel.pieces[0])["params"] == {"id": 1}
    talk.receive(result("r"))
    assert talk.cancel(reply) is None


@pytest.mark.parametrize(
    "nonsense",
    [b"no JSON\n", b"[1]\n", line(jsonrpc="2.0", method="stream.data", params={"stream": -1})],
)
def test_what_makes_no_sense_is_a_fault(talk: Conversation, nonsense: bytes) -> None:
    """Nobody knows what would come next."""
    with pytest.raises(ProtocolError):
        talk.receive(nonsense)


def test_a_fault_ends_all_that_waits_with_it(talk: Conversation) -> None:
    """It may have been done, and is not sent again."""
    reply, fault = begun(talk), ProtocolError(Code.BAD_ANSWER, "nonsense")
    talk.broke(fault)
    assert reply.error is fault
    assert not talk.is_open


def test_a_result_that_makes_no_sense_is_one_request_s_error(talk: Conversation) -> None:
    """Where the next message begins is known: the others go on."""
    one, two = begun(talk), begun(talk)
    talk.receive(result({"A": {"$stream": 1}, "B": {"$stream": 1}}, 1, streams=[1]))
    talk.receive(result("r", 2))
    assert isinstance(one.error, RpcError)
    assert two.value == "r"


@pytest.mark.parametrize("said", [7, "no", {}, {"code": "x", "message": "m"}, {"code": 1}])
def test_an_error_that_is_none_is_one_of_ours(talk: Conversation, said: Any) -> None:
    """The answer is one all the same."""
    reply = begun(talk)
    talk.receive(line(jsonrpc="2.0", id=1, error=said))
    assert isinstance(reply.error, RpcError)
    assert reply.error.code == Code.BAD_ANSWER


# Who is at the other end


def test_one_says_hello_once(talk: Conversation) -> None:
    """What is in flight meanwhile does not wait for the answer."""
    begun(talk)  # no stream can come of that one
    assert greets(talk)
    assert not greets(talk)
    talk.receive(result({"protocol": 1}, 0))
    assert not greets(talk)


def test_a_greeting_that_was_refused_is_said_again(talk: Conversation) -> None:
    """The daemon was full: without it large bodies would not come as streams."""
    assert greets(talk)
    talk.receive(error(Code.OVERLOADED, 0))
    assert greets(talk)


@pytest.mark.parametrize(
    "answer",
    [error(Code.METHOD_NOT_FOUND, 0), result({"protocol": 2}, 0), result({}, 0), result(None, 0)],
)
def test_one_who_speaks_another_version(talk: Conversation, answer: bytes) -> None:
    """Its answers could mean anything: none of them is taken."""
    assert greets(talk)
    begun(talk)
    with pytest.raises(OtherProtocol, match="/path"):
        talk.receive(answer + result("r"))


# How it ends


def test_what_was_not_written_whole_was_not_done(talk: Conversation) -> None:
    """The daemon acts on whole messages only; what was written may have been done."""
    written = begun(talk)
    (half,) = talk.begin("s3.m", {}, {}).replies
    talk.ended(None)
    assert isinstance(written.error, DaemonLost)
    assert isinstance(half.error, NothingDone)
    assert isinstance(half.error.error, DaemonUnavailable)


def test_what_the_kernel_threw_away_was_not_done(talk: Conversation) -> None:
    """It says that bytes were not read: those of the message that was written last among them."""
    first, last = begun(talk), begun(talk)
    talk.ended(RESET)
    assert isinstance(first.error, DaemonLost)
    assert isinstance(last.error, NothingDone)


def test_what_was_written_behind_it_was_last(talk: Conversation) -> None:
    """A piece of a stream, or a cancel, is a message too: the request may have been read."""
    reply = begun(talk)
    talk.wrote([])
    talk.ended(RESET)
    assert isinstance(reply.error, DaemonLost)


@pytest.mark.parametrize(
    ("code", "kind", "was_nothing_done"),
    [
        (Code.IDLE, Idle, True),
        (Code.SHUTTING_DOWN, ShuttingDown, True),
        (Code.TOO_SLOW, TooSlow, False),
    ],
)
def test_a_last_word_is_why_it_ended(
    talk: Conversation, code: Code, kind: type[RpcError], was_nothing_done: bool
) -> None:
    """It bears no number. Alone in flight, a request has it at once; of several, at the end."""
    one, two = begun(talk), begun(talk)
    talk.receive(error(code, None))
    assert not talk.is_open
    assert not one.is_done
    talk.receive(result("r", 2))
    talk.ended(None)
    assert two.value == "r"
    assert isinstance(one.error, NothingDone) is was_nothing_done
    assert isinstance(one.outcome(), kind)


def test_a_last_word_is_the_answer_of_who_is_alone(talk: Conversation) -> None:
    """The daemon may take its time to hang up."""
    reply = begun(talk)
    talk.receive(error(Code.TOO_SLOW, None))
    assert isinstance(reply.error, TooSlow)


def test_a_daemon_that_stops_is_asked_nothing_more(talk: Conversation) -> None:
    """It still answers what it took, on this connection; the next request needs another."""
    refused, taken = begun(talk), begun(talk)
    talk.receive(error(Code.SHUTTING_DOWN, 1))
    assert isinstance(refused.error, NothingDone)
    assert not talk.is_open
    assert talk.is_busy
    talk.receive(result("r", 2))
    assert taken.value == "r"


# Streams


def test_a_body_comes_after_its_answer(talk: Conversation) -> None:
    """Piece by piece; its end is told, good or not."""
    one, two = begun(talk), begun(talk)
    talk.receive(result({"Body": {"$stream": 5}}, 1, streams=[5]))
    talk.receive(result({"Body": {"$stream": 6}}, 2, streams=[6]))
    good, bad = one.value["Body"], two.value["Body"]
    assert talk.is_busy
    talk.receive(line(jsonrpc="2.0", method="stream.data", params={"stream": 5}, bytes=[2]) + b"ab")
    talk.receive(line(jsonrpc="2.0", method="stream.end", params={"stream": 5}))
    said = {"code": int(Code.UNREACHABLE), "message": "cut"}
    talk.receive(line(jsonrpc="2.0", method="stream.end", params={"stream": 6, "error": said}))
    assert (good.take(), good.take()) == (b"ab", b"")
    with pytest.raises(StreamBroken, match="not whole: cut"):
        bad.take()
    assert not talk.is_busy


def test_a_body_ends_with_its_connection(talk: Conversation) -> None:
    """What came is not taken for the whole."""
    reply = begun(talk)
    talk.receive(result({"Body": {"$stream": 5}}, 1, streams=[5]))
    talk.ended(None)
    with pytest.raises(DaemonUnavailable, match="not whole"):
        reply.value["Body"].take()
    assert not talk.is_busy


def test_what_is_sent_waits_for_credit(talk: Conversation) -> None:
    """Until the daemon has enough of it, or has answered; each stream has its own number."""
    one, two = begun(talk, Body=Pieces([], None)), begun(talk, Body=Pieces([], None))
    assert one.outflow is not None
    assert two.outflow is not None
    assert (one.outflow.number, two.outflow.number) == (1, 2)
    talk.receive(line(jsonrpc="2.0", method="stream.credit", params={"stream": 2, "bytes": 9}))
    assert (one.outflow.room_bytes, two.outflow.room_bytes) == (0, 9)
    talk.receive(line(jsonrpc="2.0", method="stream.cancel", params={"stream": 2}))
    assert two.outflow.room_bytes == 0
    talk.receive(result("r", 1))
    assert not one.outflow.is_wanted
    talk.receive(line(jsonrpc="2.0", method="stream.credit", params={"stream": 1, "bytes": 9}))
    assert one.outflow.room_bytes == 0, "of a stream that is over"
