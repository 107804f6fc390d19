"""Where messages begin and end in a stream of bytes."""

import json
import os
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botod.ipc import framing
from botod.ipc.descriptor_queue import MAX_FDS
from botod.ipc.envelope import MAX_BLOBS
from botod.ipc.errors import Code, ProtocolError, RpcError
from botod.ipc.framing import (
    MAX_BATCH,
    MAX_DRAIN_BYTES,
    SHORT_LINE_BYTES,
    Array,
    Decoder,
    Message,
    MessageLimits,
    Refused,
    State,
)
from support.wire import HUGE_NUMBER, STREAMS_OF_BYTES, UNHURRIED, line

SMALL = MessageLimits(line_bytes=100, inline_bytes=10)

END = object()
"""The end of input, among pieces of it."""


def events(pieces: Iterable[Any], limits: MessageLimits = SMALL) -> tuple[list[Any], State]:
    """What comes out of a decoder that gets these pieces, comparable; and its state then."""
    decoder = Decoder(limits)
    out: list[Any] = []
    for piece in pieces:
        if piece is END:
            decoder.feed_eof()
        else:
            decoder.feed(piece)
        try:
            while (event := decoder.next()) is not None:
                if isinstance(event, Refused):
                    out.append((event.request_id, event.error.code, str(event.error)))
                else:
                    out.append(event)
        except ProtocolError as error:
            return [*out, (error.code, str(error))], decoder.state
    return out, decoder.state


def plain(envelope: dict[str, Any], blobs: tuple[bytes, ...] = ()) -> Message:
    """A message in which there is no marker."""
    return Message(envelope, blobs, is_plain=True, held_bytes=sum(map(len, blobs)))


def fault(*pieces: Any, limits: MessageLimits = SMALL) -> ProtocolError:
    """The error after which nothing more can be read."""
    decoder = Decoder(limits)
    with pytest.raises(ProtocolError) as caught:  # noqa: PT012 - any piece may be the last straw
        for piece in pieces:
            if piece is END:
                decoder.feed_eof()
            else:
                decoder.feed(piece)
            while decoder.next() is not None:
                pass
    return caught.value


@pytest.mark.parametrize(
    ("pieces", "state"),
    [
        ([], State.LINE),
        ([b'{"id":'], State.LINE),
        ([b"{}\n"], State.LINE),
        ([b"[]\n"], State.LINE),
        ([b"\n \n"], State.LINE),
        ([b'{"bytes":[0]}\n'], State.LINE),
        ([b'{"bytes":[2]}\n'], State.BODY),
        ([b'{"bytes":[2]}\n', b"x"], State.BODY),
        ([b'{"bytes":[2]}\n', b"xy"], State.LINE),
        ([b'{"bytes":[2]}\n', b"xy{"], State.LINE),
        ([b'{"bytes":[2]}\n', END], State.ENDED),
        ([b'{"bytes":[2]}\n', b"xy", END], State.ENDED),
        ([b'{"bytes":[11]}\n'], State.DRAIN),
        ([b'{"bytes":[11]}\n', b"x" * 10], State.DRAIN),
        ([b'{"bytes":[11]}\n', b"x" * 11], State.LINE),
        ([b'{"bytes":[11]}\n', b"x" * 10, END], State.ENDED),
        ([b'{"fds":1}\n'], State.LINE),
        ([b'{"fds":1,"bytes":[1]}\n'], State.DRAIN),
        ([END], State.ENDED),
        ([b"{}", END], State.ENDED),
        ([b"no JSON\n"], State.ENDED),
        ([b'{"bytes":7}\n'], State.ENDED),
        ([b"x" * 101], State.ENDED),
        ([b'{"bytes":[%d]}\n' % (MAX_DRAIN_BYTES + 1)], State.ENDED),
    ],
)
def test_transitions(pieces: list[Any], state: State) -> None:
    """Each state is left by what it waits for, by the end of input, or by a fault."""
    assert events(pieces)[1] is state


def test_each_state_has_a_step() -> None:
    """The table of steps is whole."""
    assert set(framing._STEPS) == set(State)


def test_repr_shows_the_state() -> None:
    """In a debugger one sees what the decoder waits for."""
    decoder = Decoder()
    decoder.feed(b'{"bytes":[7]}\nabc')
    assert decoder.next() is None
    assert repr(decoder) == "<Decoder reads body, 3 bytes buffered>"


@pytest.mark.parametrize("bad", [b"no JSON\n", b'{"bytes":7}\n', b"x" * 101])
def test_after_a_fault_nothing_more_is_read(bad: bytes) -> None:
    """What follows on a stream that lost its frame is not taken for a message."""
    decoder = Decoder(SMALL)
    decoder.feed(bad + b"\n{}\n")
    with pytest.raises(ProtocolError):
        decoder.next()
    assert decoder.next() is None
    decoder.feed(b"{}\n")
    decoder.feed_eof()
    assert decoder.next() is None


def test_bytes_after_the_end_are_a_mistake_of_ours() -> None:
    """Feeding a decoder that was told of the end is a defect in the caller."""
    decoder = Decoder()
    decoder.feed_eof()
    with pytest.raises(AssertionError, match="after the end"):
        decoder.feed(b"x")


def test_the_bytes_of_a_message_are_cut_as_declared() -> None:
    """Each declared size is one blob, empty ones too; bytes may hold anything, newlines too."""
    raw = b'{"id":1,"bytes":[3,0,4]}\na\nb\x00\xff\n{{}\n'
    out, state = events([raw])
    assert out == [
        plain({"id": 1, "bytes": [3, 0, 4]}, (b"a\nb", b"", b"\x00\xff\n{")),
        plain({}),
    ]
    assert state is State.LINE


def test_blank_lines_are_passed_over() -> None:
    """Empty lines, and those of spaces and carriage returns, are no messages and no faults."""
    out, _state = events([b"\n\r\n  \t \n{}\n\n", b"   \n", b" ", END])
    assert out == [plain({})]


def test_a_line_may_end_as_on_windows() -> None:
    """A carriage return before the newline is white space of JSON's; the body begins behind."""
    out, _state = events([b'{"bytes":[2]}\r\n\r\n{}\r\n'])
    assert out == [plain({"bytes": [2]}, (b"\r\n",)), plain({})]


def test_the_last_line_needs_no_newline() -> None:
    """What `printf '{…}' | nc -N` sends is a request."""
    out, state = events([b'{"id":1}\n{"id":2}', END])
    assert out == [plain({"id": 1}), plain({"id": 2})]
    assert state is State.ENDED


def test_half_a_line_at_the_end_is_a_fault() -> None:
    """A line that was cut short is answered, not dropped."""
    assert fault(b'{"id":', END).code == Code.PARSE_ERROR


@pytest.mark.parametrize("came", [b"", b"ab"])
def test_a_body_cut_short_is_no_message(came: bytes) -> None:
    """Fewer bytes than announced are never stored as if they were all."""
    out, state = events([b'{"id":"x","bytes":[2,1]}\n' + came, END])
    (refused,) = out
    assert refused[:2] == ("x", Code.BODY_CUT_SHORT)
    assert f"3 bytes were declared, {len(came)} came" in refused[2]
    assert state is State.ENDED


def test_a_body_that_a_last_line_announces_is_cut_short() -> None:
    """Without a newline behind the line there can be no bytes behind it either."""
    out, _state = events([b'{"id":1,"bytes":[1]}', END])
    assert [event[:2] for event in out] == [(1, Code.BODY_CUT_SHORT)]


@pytest.mark.parametrize("end", [b"", b"\n", b"\n{}\n"])
def test_a_line_over_the_limit_is_a_fault(end: bytes) -> None:
    """It is found out with and without its newline: nobody can make us hold more."""
    assert fault(b'"' + b"x" * 100 + end).code == Code.LINE_TOO_LONG


def test_a_line_at_the_limit_is_read() -> None:
    """The newline does not count, and it may come later."""
    at_limit = b'{"k":"' + b"x" * 92 + b'"}'
    assert len(at_limit) == SMALL.line_bytes
    out, _state = events([at_limit, b"\n" + at_limit + b"\n" + at_limit, END])
    assert [event.envelope for event in out] == [{"k": "x" * 92}] * 3


def test_a_line_over_the_limit_is_found_out_at_the_end_too() -> None:
    """The end of input in one turn with the last bytes changes nothing."""
    decoder = Decoder(SMALL)
    decoder.feed(b"x" * 101)
    decoder.feed_eof()
    with pytest.raises(ProtocolError) as caught:
        decoder.next()
    assert caught.value.code == Code.LINE_TOO_LONG


@pytest.mark.parametrize(
    "text",
    [
        b"hello",
        b"{",
        b'{"a":1}}',
        b"{'a':1}",
        b'{"a":NaN}',
        b'{"a":Infinity}',
        b'{"a":-Infinity}',
        b'{"a":"\xff"}',
        b'{"a":"\xed\xa0\x80"}',
        b"\xef\xbb\xbf{}",
        b'{"a":"\x01"}',
        b'{"a":' + b"1" * 5000 + b"}",
        b"[" * 10_000,
        b"[" * 10_000 + b"]" * 10_000,
        b'{"a":' * 10_000,
        b"\x00",
    ],
    ids=lambda text: repr(text[:20]),
)
def test_what_is_not_json_is_a_fault(text: bytes) -> None:
    """Nobody can tell where the next message begins; the answer says so once."""
    assert fault(text + b"\n", limits=MessageLimits()).code == Code.PARSE_ERROR


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (b"[]", "1 to 100 requests, not 0"),
        (b"[" + b"1," * MAX_BATCH + b"1]", "not 101"),
        (b"1", "not an object"),
        (b'"s"', "not an object"),
        (b"null", "not an object"),
    ],
)
def test_what_is_json_and_no_object_is_refused(text: bytes, what: str) -> None:
    """A line that frames is answered, and the next one is read."""
    out, _state = events([text + b"\n{}\n"], MessageLimits())
    assert out[0][:2] == (None, Code.INVALID_REQUEST)
    assert what in out[0][2]
    assert out[1] == plain({})


@pytest.mark.parametrize(
    "sizes",
    [
        "null",
        "5",
        '"5"',
        "{}",
        "[-1]",
        "[true]",
        "[1.0]",
        '["1"]',
        "[null]",
        "[[1]]",
        str([0] * (MAX_BLOBS + 1)),
    ],
)
def test_sizes_that_cannot_be_told_are_a_fault(sizes: str) -> None:
    """Where `bytes` is no list of a few whole numbers nobody knows where the next line is."""
    error = fault(f'{{"id":1,"bytes":{sizes}}}\n'.encode(), limits=MessageLimits())
    assert error.code == Code.INVALID_REQUEST
    assert str(MAX_BLOBS) in str(error)


def test_as_many_blobs_as_may_be() -> None:
    """The limit on the number of blobs is the last number that is fine."""
    out, _state = events([line(bytes=[1] * MAX_BLOBS) + b"x" * MAX_BLOBS], MessageLimits())
    assert out[0].blobs == (b"x",) * MAX_BLOBS


@pytest.mark.parametrize("sizes", [[11], [5, 6], [10, 0, 1]])
def test_too_large_a_body_is_drained(sizes: list[int]) -> None:
    """A body over the limit is refused at its line, dropped, and the next message is read."""
    pieces = [line(id=7, bytes=sizes), b"x" * 10, b"\n" + line(id=8)]
    out, _state = events(pieces)
    assert out[0][:2] == (7, Code.BODY_TOO_LARGE)
    assert "11 bytes declared, at most 10" in out[0][2]
    assert out[1:] == [plain({"id": 8})]


def test_the_refusal_does_not_wait_for_the_body() -> None:
    """Who announces too much is told before he sends it."""
    out, state = events([line(id=7, bytes=[11])])
    assert len(out) == 1
    assert state is State.DRAIN


def test_a_body_at_the_limit_is_read() -> None:
    """All blobs of a message together may be as large as the limit."""
    out, _state = events([line(bytes=[4, 6]) + b"0123456789"])
    assert out[0].blobs == (b"0123", b"456789")


def test_too_much_to_drain_is_a_fault() -> None:
    """What would take for ever to drop is hung up on; a byte less is drained."""
    assert fault(line(bytes=[MAX_DRAIN_BYTES, 1])).code == Code.BODY_TOO_LARGE
    assert events([line(bytes=[MAX_DRAIN_BYTES])])[1] is State.DRAIN


def test_sizes_beyond_all_measure_are_a_fault() -> None:
    """Sizes that sum up to more digits than Python writes are answered like all that are big."""
    sizes = ",".join([HUGE_NUMBER] * MAX_BLOBS)
    assert (
        fault(f'{{"bytes":[{sizes}]}}\n'.encode(), limits=MessageLimits()).code
        == Code.BODY_TOO_LARGE
    )


def test_no_descriptors_may_be_said() -> None:
    """`fds` of zero asks for nothing."""
    assert events([line(fds=0)])[0] == [plain({"fds": 0})]


@pytest.mark.parametrize(
    ("text", "answer_to"),
    [
        ('"id":"a",', "a"),
        ('"id":0,', 0),
        ('"id":null,', None),
        ("", None),
        ('"id":true,', None),
        ('"id":1.5,', None),
        ('"id":{},', None),
    ],
)
def test_a_refusal_answers_under_the_messages_id(text: str, answer_to: Any) -> None:
    """Even what is refused says whom the refusal is for, where the id is one."""
    out, _state = events([f'{{{text}"fds":1}}\n'.encode()])
    assert out[0][0] is answer_to or out[0][0] == answer_to


@pytest.mark.parametrize("data", [line(method="m", bytes=[11]), line(method="m", fds=1)])
def test_a_refusal_says_which_method_it_refused(data: bytes) -> None:
    """Of a message without an id that is all by which one can tell what is missing now."""
    decoder = Decoder(SMALL)
    decoder.feed(data)
    refused = decoder.next()
    assert isinstance(refused, Refused)
    assert refused.method == "m"


def test_of_keys_that_repeat_the_last_counts() -> None:
    """Framing reads an envelope as every JSON reader does."""
    out, _state = events([b'{"bytes":[5],"id":1,"bytes":[1],"id":2}\nx{}\n'])
    assert out == [plain({"bytes": [1], "id": 2}, (b"x",)), plain({})]


def test_an_array_is_a_batch() -> None:
    """What stands in it is not looked at here: as many entries as may be, of any kind."""
    out, _state = events(
        [b"[{},1,null]\n" + json.dumps([0] * MAX_BATCH).encode() + b"\n"], MessageLimits()
    )
    assert out == [Array([{}, 1, None]), Array([0] * MAX_BATCH)]


# Descriptors


def with_fds(number: int, data: bytes = b"", limits: MessageLimits = SMALL) -> Decoder:
    """A decoder to which so many descriptors came, with these bytes."""
    decoder = Decoder(limits)
    decoder.descriptors.add(os.open(os.devnull, os.O_RDONLY) for _ in range(number))
    decoder.feed(data)
    return decoder


def queued(decoder: Decoder) -> list[int]:
    """The descriptors that nobody took."""
    return list(decoder.descriptors._fds)


def close_all(fds: Iterable[int]) -> None:
    """Close each once: a number that is not open, or was given twice, is an OSError."""
    for fd in fds:
        os.close(fd)


def test_each_line_takes_as_many_descriptors_as_it_declares() -> None:
    """They go to the lines in the order in which they came, however they were read."""
    decoder = with_fds(4, line(fds=1) + line() + line(fds=2, bytes=[1]) + b"x" + line(fds=1))
    came = queued(decoder)
    taken = []
    while isinstance(event := decoder.next(), Message):
        taken.append(list(event.fds))
    assert taken == [came[:1], [], came[1:3], came[3:]]
    close_all(came)


@pytest.mark.parametrize(("fds", "bytes_"), [(1, []), (2, [2]), (MAX_FDS, [1, 1])])
def test_a_line_whose_descriptors_did_not_come_is_refused(fds: int, bytes_: list[int]) -> None:
    """Its bytes are dropped, those that did come are handed on to be closed, and all goes on."""
    decoder = with_fds(fds - 1, line(id=1, fds=fds, bytes=bytes_) + b"x" * sum(bytes_) + line(id=2))
    came = queued(decoder)
    refused = decoder.next()
    assert isinstance(refused, Refused)
    assert (refused.request_id, refused.error.code) == (1, Code.INVALID_REQUEST)
    assert f"{fds} descriptors declared, {fds - 1} came" in str(refused.error)
    assert list(refused.fds) == came
    assert decoder.next() == plain({"id": 2})
    close_all(refused.fds)


@pytest.mark.parametrize(
    "data",
    [
        line(id=1, fds=2, bytes=[11]),
        b'{"id":1,"fds":2,"bytes":[2]}\nx',
    ],
)
def test_who_refuses_a_message_hands_its_descriptors_on(data: bytes) -> None:
    """What is too large, or cut short, comes out with its descriptors: they are closed once."""
    decoder = with_fds(3, data)
    came = queued(decoder)
    decoder.feed_eof()
    refused = decoder.next()
    assert isinstance(refused, Refused)
    assert list(refused.fds) == came[:2]
    assert queued(decoder) == came[2:]
    close_all(came)


@pytest.mark.parametrize(
    "data",
    [
        line(fds=2, bytes=[5]) + b"abc",
        line(fds=2, bytes=[MAX_DRAIN_BYTES + 1]),
        line(fds=2, bytes=7),
        line(fds=MAX_FDS + 1),
        b'{"fds":2,',
    ],
)
def test_descriptors_of_what_never_comes_whole_stay_in_the_queue(data: bytes) -> None:
    """Until a message comes out the queue has its descriptors, and closes them at the end."""
    decoder = with_fds(2, data)
    came = queued(decoder)
    try:
        assert decoder.next() is None
    except ProtocolError:
        assert decoder.state is State.ENDED
    assert queued(decoder) == came
    decoder.descriptors.close()
    for fd in came:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(fd)


@pytest.mark.parametrize("fds", ["null", "true", "1.0", '"1"', "[0]", "-1", str(MAX_FDS + 1)])
def test_a_number_of_descriptors_that_cannot_be_told_is_a_fault(fds: str) -> None:
    """Nobody would know whose the next ones are."""
    error = fault(f'{{"id":1,"fds":{fds}}}\n'.encode())
    assert error.code == Code.INVALID_REQUEST
    assert str(MAX_FDS) in str(error)


# Reserving


class Room:
    """Grants so many bytes, and remembers what it was asked."""

    def __init__(self, free: int) -> None:
        self.free = free
        self.asked: list[tuple[int, Any]] = []

    def __call__(self, size: int, envelope: dict[str, Any]) -> RpcError | None:
        self.asked.append((size, envelope.get("id")))
        return None if size <= self.free else RpcError(Code.OVERLOADED, "no room")


def test_bytes_are_reserved_before_they_are_kept() -> None:
    """With the line, not with the bytes; and they are accounted for until the message comes."""
    room = Room(10)
    decoder = Decoder(SMALL, reserve=room)
    decoder.feed(line(id=1, bytes=[2, 3]) + b"abcd")
    assert decoder.next() is None
    assert room.asked == [(5, 1)]
    assert (decoder.reserved_bytes, decoder.declared_bytes) == (5, 5)
    decoder.feed(b"e")
    assert decoder.next() == plain({"id": 1, "bytes": [2, 3]}, (b"ab", b"cde"))
    assert (decoder.reserved_bytes, decoder.declared_bytes) == (0, 0)
    assert room.asked == [(5, 1)]


def test_what_there_is_no_room_for_is_refused_and_drained() -> None:
    """The message is answered at once, its bytes are dropped, and the next one is read."""
    decoder = Decoder(SMALL, reserve=Room(3))
    decoder.feed(line(id=1, bytes=[4]) + b"abcd" + line(id=2, bytes=[3]) + b"efg")
    refused = decoder.next()
    assert isinstance(refused, Refused)
    assert (refused.request_id, refused.error.code) == (1, Code.OVERLOADED)
    assert decoder.reserved_bytes == 0
    assert decoder.next() == plain({"id": 2, "bytes": [3]}, (b"efg",))


@pytest.mark.parametrize(
    "data",
    [line(id=1), line(bytes=[]), line(bytes=[0, 0]), line(bytes=[11]), line(fds=1, bytes=[2])],
)
def test_no_room_is_asked_for_what_will_not_be_kept(data: bytes) -> None:
    """Neither without bytes, nor for a message that is refused anyway."""
    room = Room(0)
    decoder = Decoder(SMALL, reserve=room)
    decoder.feed(data)
    assert decoder.next() is not None
    assert room.asked == []
    assert decoder.reserved_bytes == 0


def test_what_is_not_read_yet_is_told_in_steps() -> None:
    """Lines only, as the last `next` left them: bytes that a line declares are reserved by then."""
    decoder = Decoder()
    decoder.feed(line(id=1) + b" " * (3 * SHORT_LINE_BYTES - 1))
    assert decoder.line_bytes == 0
    assert decoder.next() == plain({"id": 1})
    assert decoder.line_bytes == 2 * SHORT_LINE_BYTES
    decoder.feed(b" " + line(id=2, bytes=[2 * SHORT_LINE_BYTES + 9]) + bytes(2 * SHORT_LINE_BYTES))
    assert decoder.next() is None
    assert decoder.line_bytes == 0
    assert decoder.reserved_bytes > 2 * SHORT_LINE_BYTES
    decoder.feed(bytes(9 + SHORT_LINE_BYTES))
    assert decoder.next() is not None
    assert decoder.line_bytes == SHORT_LINE_BYTES
    decoder.forget_rest()
    assert decoder.line_bytes == 0


# What other modules ask


@pytest.mark.parametrize(
    ("data", "is_half_read"),
    [
        (b"", False),
        (b"{", True),
        (b"\n", False),
        (b"{}\n", False),
        (b"{}\n{", True),
        (b'{"bytes":[2]}\n', True),
        (b'{"bytes":[2]}\nx', True),
        (b'{"bytes":[2]}\nxy', False),
        (b'{"bytes":[11]}\n', True),
        (b'{"bytes":[11]}\n' + b"x" * 11, False),
    ],
)
def test_a_message_that_is_not_whole_can_be_told(data: bytes, is_half_read: bool) -> None:
    """From its first byte to its last, so that a peer may be held to a time."""
    decoder = Decoder(SMALL)
    decoder.feed(data)
    while decoder.next() is not None:
        pass
    assert decoder.is_half_read is is_half_read


def test_messages_are_counted_however_they_come_out() -> None:
    """Messages, arrays and refusals count; lines without anything do not."""
    decoder = Decoder(SMALL)
    decoder.feed(b"{}\n\n[1]\n7\n" + line(bytes=[11]) + b"x" * 11 + b"{")
    while decoder.next() is not None:
        pass
    assert decoder.messages_total == 4


# Over all inputs


@UNHURRIED
@given(data=st.data())
def test_how_the_stream_is_cut_does_not_matter(data: st.DataObject) -> None:
    """Byte by byte, in any pieces, or at once: the same messages, refusals and faults come out."""
    one = st.one_of(
        st.builds(
            lambda id_, sizes: line(id=id_, bytes=sizes) + bytes(range(sum(sizes))),
            st.integers(0, 9),
            st.lists(st.integers(0, 6), max_size=4),
        ),
        st.builds(lambda id_: line(id=id_), st.text(max_size=3)),
        st.sampled_from([
            b"\n",
            b" \r\n",
            b"[]\n",
            b"[1]\n",
            b'{"id":3,"fds":1,"bytes":[2]}\n\n\n',
        ]),
    )
    bad = st.sampled_from([b"", b"", b"{", b"nonsense\n", b"x" * 102, b'{"bytes":[9]}\nabc'])
    stream = b"".join(data.draw(st.lists(one, max_size=6))) + data.draw(bad)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=10)))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    at_once = events([stream, END])
    assert events([*pieces, END]) == at_once
    assert events([*(stream[i : i + 1] for i in range(len(stream))), END]) == at_once


@UNHURRIED
@given(data=st.data())
def test_no_more_is_held_than_the_limits_say(data: st.DataObject) -> None:
    """Whatever comes: after each piece at most a line, or the bytes of one message, is kept."""
    decoder = Decoder(SMALL)
    stream = data.draw(STREAMS_OF_BYTES)
    size = data.draw(st.integers(1, 150))
    try:
        for start in range(0, len(stream), size):
            decoder.feed(stream[start : start + size])
            while decoder.next() is not None:
                pass
            assert len(decoder._buffer) <= max(SMALL)
            assert decoder.reserved_bytes <= SMALL.inline_bytes
    except ProtocolError:
        assert decoder.state is State.ENDED
        assert decoder.next() is None
