"""The wire without I/O: where messages begin and end, and what a request is."""

import json
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from botod.ipc import protocol
from botod.ipc.errors import Code, ProtocolError, RpcError
from botod.ipc.markers import MAX_DEPTH
from botod.ipc.protocol import (
    ENVELOPE_KEYS,
    MAX_BLOBS,
    MAX_DRAIN_BYTES,
    OPTION_KEYS,
    Decoder,
    Limits,
    Message,
    Refused,
    Request,
    State,
    encode,
    encode_error,
    encode_request,
    encode_result,
    read_request,
    request_id,
)

UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
SMALL = Limits(line_bytes=100, inline_bytes=10)
HUGE_NUMBER = "9" * 4300
"""As many digits as Python reads; a sum of such numbers has more than it writes."""

END = object()
"""The end of input, among pieces of it."""


def line(**envelope: Any) -> bytes:
    """An envelope as it stands on the wire."""
    return json.dumps(envelope).encode() + b"\n"


def events(pieces: Iterable[Any], limits: Limits = SMALL) -> tuple[list[Any], State]:
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


def fault(*pieces: Any, limits: Limits = SMALL) -> ProtocolError:
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


def message(**changes: Any) -> Message:
    """A request's message where some of the envelope differs from a good one's."""
    envelope = {"jsonrpc": "2.0", "id": 1, "method": "s3.get_object", "params": {}} | changes
    return Message({key: value for key, value in envelope.items() if value is not END}, ())


def refusal(**changes: Any) -> RpcError:
    """Why a request that differs so from a good one is refused."""
    with pytest.raises(RpcError) as caught:
        read_request(message(**changes))
    return caught.value


# The decoder


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
    assert set(protocol._STEPS) == set(State)


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
        Message({"id": 1, "bytes": [3, 0, 4]}, (b"a\nb", b"", b"\x00\xff\n{")),
        Message({}, ()),
    ]
    assert state is State.LINE


def test_blank_lines_are_passed_over() -> None:
    """Empty lines, and those of spaces and carriage returns, are no messages and no faults."""
    out, _state = events([b"\n\r\n  \t \n{}\n\n", b"   \n", b" ", END])
    assert out == [Message({}, ())]


def test_a_line_may_end_as_on_windows() -> None:
    """A carriage return before the newline is white space of JSON's; the body begins behind."""
    out, _state = events([b'{"bytes":[2]}\r\n\r\n{}\r\n'])
    assert out == [Message({"bytes": [2]}, (b"\r\n",)), Message({}, ())]


def test_the_last_line_needs_no_newline() -> None:
    """What `printf '{…}' | nc -N` sends is a request."""
    out, state = events([b'{"id":1}\n{"id":2}', END])
    assert out == [Message({"id": 1}, ()), Message({"id": 2}, ())]
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
    assert fault(text + b"\n", limits=Limits()).code == Code.PARSE_ERROR


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (b'[{"jsonrpc":"2.0"}]', "batches are not supported"),
        (b"[]", "batches are not supported"),
        (b"1", "not an object"),
        (b'"s"', "not an object"),
        (b"null", "not an object"),
    ],
)
def test_what_is_json_and_no_object_is_refused(text: bytes, what: str) -> None:
    """A line that frames is answered, and the next one is read."""
    out, _state = events([text + b"\n{}\n"])
    assert out[0][:2] == (None, Code.INVALID_REQUEST)
    assert what in out[0][2]
    assert out[1] == Message({}, ())


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
    error = fault(f'{{"id":1,"bytes":{sizes}}}\n'.encode(), limits=Limits())
    assert error.code == Code.INVALID_REQUEST
    assert str(MAX_BLOBS) in str(error)


def test_as_many_blobs_as_may_be() -> None:
    """The limit on the number of blobs is the last number that is fine."""
    out, _state = events([line(bytes=[1] * MAX_BLOBS) + b"x" * MAX_BLOBS], Limits())
    assert out[0].blobs == (b"x",) * MAX_BLOBS


@pytest.mark.parametrize("sizes", [[11], [5, 6], [10, 0, 1]])
def test_too_large_a_body_is_drained(sizes: list[int]) -> None:
    """A body over the limit is refused at its line, dropped, and the next message is read."""
    pieces = [line(id=7, bytes=sizes), b"x" * 10, b"\n" + line(id=8)]
    out, _state = events(pieces)
    assert out[0][:2] == (7, Code.BODY_TOO_LARGE)
    assert "11 bytes declared, at most 10" in out[0][2]
    assert out[1:] == [Message({"id": 8}, ())]


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
    assert fault(f'{{"bytes":[{sizes}]}}\n'.encode(), limits=Limits()).code == Code.BODY_TOO_LARGE


@pytest.mark.parametrize("fds", ["1", "true", "[0]", '"x"', "-1"])
def test_descriptors_are_refused_and_their_bytes_drained(fds: str) -> None:
    """A message that comes with descriptors is refused; the connection goes on."""
    out, _state = events([f'{{"id":1,"fds":{fds},"bytes":[2]}}\nxy{{}}\n'.encode()])
    assert out[0][:2] == (1, Code.UNSUPPORTED)
    assert out[1:] == [Message({}, ())]


def test_no_descriptors_may_be_said() -> None:
    """`fds` of zero asks for nothing."""
    assert events([line(fds=0)])[0] == [Message({"fds": 0}, ())]


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


def test_of_keys_that_repeat_the_last_counts() -> None:
    """Framing reads an envelope as every JSON reader does."""
    out, _state = events([b'{"bytes":[5],"id":1,"bytes":[1],"id":2}\nx{}\n'])
    assert out == [Message({"bytes": [1], "id": 2}, (b"x",)), Message({}, ())]


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
        st.sampled_from([b"\n", b" \r\n", b"[]\n", b'{"id":3,"fds":1,"bytes":[2]}\n\n\n']),
    )
    bad = st.sampled_from([b"", b"", b"{", b"nonsense\n", b"x" * 102, b'{"bytes":[9]}\nabc'])
    stream = b"".join(data.draw(st.lists(one, max_size=6))) + data.draw(bad)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=10)))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    at_once = events([stream, END])
    assert events([*pieces, END]) == at_once
    assert events([*(stream[i : i + 1] for i in range(len(stream))), END]) == at_once


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)
FRAGMENTS = st.lists(
    st.sampled_from([
        *(b'{ } [ ] " : , - 0 1 63 true null NaN 1e999 \\ud800 \xff'.split()),
        *(f'"{key}":'.encode() for key in sorted(ENVELOPE_KEYS | OPTION_KEYS)),
        b"\n",
        b'{"bytes":[',
        b'{"jsonrpc":"2.0","method":"m","params":{',
        b'{"$bytes":0}',
        b'{"$base64":"x"}',
        b'"$options":',
        b"[" * 2000,
        HUGE_NUMBER.encode(),
    ]),
    max_size=30,
).map(b"".join)
ENVELOPES = (
    st
    .dictionaries(st.sampled_from(sorted(ENVELOPE_KEYS | OPTION_KEYS | {"$options", "x"})), JSON)
    .map(lambda envelope: {"jsonrpc": "2.0", "method": "m"} | envelope)
    .map(lambda envelope: json.dumps(envelope).encode() + b"\n")
)


@settings(UNHURRIED, max_examples=300)
@given(stream=st.lists(st.binary(max_size=20) | FRAGMENTS | ENVELOPES, max_size=5).map(b"".join))
def test_whatever_comes_only_our_errors_come_out(stream: bytes) -> None:
    """No bytes whatever raise anything but ProtocolError and RpcError, or keep it from ending."""
    decoder = Decoder(Limits(inline_bytes=1000))
    decoder.feed(stream)
    decoder.feed_eof()
    try:
        while (event := decoder.next()) is not None:
            if isinstance(event, Message):
                try:
                    request = read_request(event)
                except RpcError as error:
                    encode_error(request_id(event.envelope), error)
                else:
                    encode_error(request.request_id, RpcError(Code.CANCELLED, request.method))
            else:
                encode_error(event.request_id, event.error)
    except ProtocolError as error:
        encode_error(None, error)
    assert decoder.state is State.ENDED


# Requests

KEYS = st.text(max_size=5).filter(lambda key: not key.startswith("$"))
INFINITE = (float("inf"), float("-inf"))  # read from 1e999, but never written: not JSON
VALUES = st.recursive(
    JSON.filter(lambda value: not isinstance(value, (list, dict)) and value not in INFINITE)
    | st.binary(max_size=50),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=20,
)


@UNHURRIED
@given(
    requests=st.lists(
        st.tuples(
            st.integers(),
            st.text(max_size=10),
            st.dictionaries(KEYS, VALUES, max_size=5),
            st.fixed_dictionaries({}, optional={"profile": st.text(), "timeout_s": st.integers()}),
        ),
        max_size=4,
    )
)
def test_a_request_comes_through_as_it_was_sent(
    requests: list[tuple[int, str, dict[str, Any], dict[str, Any]]],
) -> None:
    """Method, params with bytes at any depth, and options survive the wire, request by request."""
    decoder = Decoder()
    for one in requests:
        decoder.feed(b"".join(encode_request(*one)))
    for call_id, method, params, options in requests:
        event = decoder.next()
        assert isinstance(event, Message)
        assert read_request(event) == Request(call_id, False, method, params, options)
    assert decoder.next() is None


def test_what_a_request_looks_like_on_the_wire() -> None:
    """One line, compact, and the bytes right behind it."""
    pieces = encode_request(3, "s3.put_object", {"Body": b"hello", "Key": "é"}, {"timeout_s": 2})
    assert b"".join(pieces) == (
        b'{"jsonrpc":"2.0","id":3,"method":"s3.put_object","params":{"Body":{"$bytes":0},'
        b'"Key":"\\u00e9"},"timeout_s":2,"bytes":[5]}\nhello'
    )


def test_what_answers_look_like_on_the_wire() -> None:
    """A result or an error, under the request's id; data only where there are any."""
    assert encode_result("a", {"Body": b"x"}) == [
        b'{"jsonrpc":"2.0","id":"a","result":{"Body":{"$bytes":0}},"bytes":[1]}\n',
        b"x",
    ]
    assert encode_result(None, None) == [b'{"jsonrpc":"2.0","id":null,"result":null}\n']
    assert encode_error(1, RpcError(Code.CANCELLED, "no")) == [
        b'{"jsonrpc":"2.0","id":1,"error":{"code":-32011,"message":"no"}}\n'
    ]
    (piece,) = encode_error(1, RpcError(Code.OVERLOADED, "no", {"retryable": True}))
    assert piece.endswith(b'"message":"no","data":{"retryable":true}}}\n')


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), {1, 2}, {b"k": 1}])
def test_what_json_does_not_have_is_not_sent(value: Any) -> None:
    """Values without a place on the wire fail where they are encoded, not at the other end."""
    with pytest.raises((TypeError, ValueError)):
        encode({"jsonrpc": "2.0", "id": 1, "result": value})


def test_no_text_can_break_the_line() -> None:
    """Newlines and lone surrogates in text are escaped: a message stays one line of UTF-8."""
    (piece,) = encode({"text": "a\nb\u2028\ud800"})
    assert piece.count(b"\n") == 1
    out, _state = events([piece])
    assert out == [Message({"text": "a\nb\u2028\ud800"}, ())]


@pytest.mark.parametrize("call_id", ["", "a", "\ud800", 0, -1, 10**4000, None])
def test_ids_of_all_kinds(call_id: Any) -> None:
    """Strings, whole numbers and null are ids, and null is not a notification."""
    request = read_request(message(id=call_id))
    assert request.request_id == call_id
    assert not request.is_notification
    assert encode_result(request.request_id, 1)


@pytest.mark.parametrize("call_id", [True, False, 1.5, 1.0, [], {}])
def test_what_is_no_id(call_id: Any) -> None:
    """All else is refused, and the refusal is sent under null."""
    assert refusal(id=call_id).code == Code.INVALID_REQUEST
    assert request_id({"id": call_id}) is None


def test_without_an_id_it_is_a_notification() -> None:
    """A request that no answer is wanted for."""
    request = read_request(message(id=END))
    assert request.is_notification
    assert request.request_id is None


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"jsonrpc": END}, Code.INVALID_REQUEST),
        ({"jsonrpc": "1.0"}, Code.INVALID_REQUEST),
        ({"jsonrpc": 2.0}, Code.INVALID_REQUEST),
        ({"method": END}, Code.INVALID_REQUEST),
        ({"method": None}, Code.INVALID_REQUEST),
        ({"method": 7}, Code.INVALID_REQUEST),
        ({"method": ["m"]}, Code.INVALID_REQUEST),
        ({"params": []}, Code.INVALID_PARAMS),
        ({"params": None}, Code.INVALID_PARAMS),
        ({"params": "p"}, Code.INVALID_PARAMS),
        ({"params": {"$options": []}}, Code.INVALID_PARAMS),
        ({"params": {"$options": None}}, Code.INVALID_PARAMS),
        ({"params": {"$options": {"colour": 1}}}, Code.INVALID_REQUEST),
        ({"params": {"$options": {"method": "m"}}}, Code.INVALID_REQUEST),
        ({"params": {"Body": {"$base64": "?"}}}, Code.INVALID_PARAMS),
        ({"result": 1}, Code.INVALID_REQUEST),
        ({"colour": "red"}, Code.INVALID_REQUEST),
    ],
)
def test_what_is_no_request(changes: dict[str, Any], code: Code) -> None:
    """Each mistake has its code, and none is ignored."""
    assert refusal(**changes).code == code


def test_params_may_be_left_out() -> None:
    """An operation without arguments needs no params."""
    assert read_request(message(params=END)).params == {}


def test_options_stand_beside_the_params() -> None:
    """What is about the request and not the operation stands in the envelope."""
    request = read_request(message(timeout_s=2.5, profile="p", params={"Key": "k"}))
    assert request.options == {"timeout_s": 2.5, "profile": "p"}
    assert request.params == {"Key": "k"}


def test_options_may_stand_in_the_params() -> None:
    """For libraries that write nothing else into the envelope; there they win."""
    params = {"Key": "k", "$options": {"timeout_s": 1}}
    request = read_request(message(timeout_s=2.5, profile="p", params=params))
    assert request.options == {"timeout_s": 1, "profile": "p"}
    assert request.params == {"Key": "k"}


def test_an_unknown_option_is_named_beside_those_there_are() -> None:
    """A misspelt option is an error that shows the right spelling."""
    assert "'timeout'" in str(refusal(timeout=3))
    assert "profile, timeout_s" in str(refusal(timeout=3))


def test_params_are_not_nested_for_ever() -> None:
    """JSON that can be read may still be deeper than any operation's params."""
    deep = json.loads("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1))
    assert refusal(params={"a": deep}).code == Code.INVALID_REQUEST


def test_markers_in_params_become_bytes() -> None:
    """Declared bytes and base64 both come out as bytes; what refers to nothing stays."""
    decoder = Decoder()
    decoder.feed(
        b'{"jsonrpc":"2.0","method":"m","bytes":[2],"params":'
        b'{"a":{"$bytes":0},"b":{"$base64":"eHk="},"c":{"$bytes":1}}}\nxy'
    )
    event = decoder.next()
    assert isinstance(event, Message)
    assert read_request(event).params == {"a": b"xy", "b": b"xy", "c": {"$bytes": 1}}
