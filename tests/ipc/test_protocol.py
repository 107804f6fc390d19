"""What messages mean, and what they look like on the wire."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botod.ipc.envelope import MAX_DEPTH, MAX_ID
from botod.ipc.errors import Code, RpcError
from botod.ipc.framing import Decoder, Message
from botod.ipc.markers import Declared
from botod.ipc.protocol import (
    ENVELOPE_KEYS,
    OPTION_KEYS,
    Carrier,
    Request,
    encode,
    encode_array,
    encode_entry,
    encode_error,
    encode_request,
    encode_result,
    error_envelope,
    read_request,
)
from support.wire import ABSENT, BYTES_TOO, JSON, KEYS, UNHURRIED, came_through


def message(**changes: Any) -> Message:
    """A request's message where some of the envelope differs from a good one's."""
    envelope = {"jsonrpc": "2.0", "id": 1, "method": "s3.get_object", "params": {}} | changes
    return Message({key: value for key, value in envelope.items() if value is not ABSENT})


def read(of: Message, streams: Mapping[int, Any] | None = None) -> Request:
    """The request that a message is, with what it declares itself."""
    return read_request(of, Declared(of.blobs, (), streams or {}))


def refusal(**changes: Any) -> RpcError:
    """Why a request that differs so from a good one is refused."""
    with pytest.raises(RpcError) as caught:
        read(message(**changes))
    return caught.value


@UNHURRIED
@given(
    requests=st.lists(
        st.tuples(
            st.integers(-(2**63), 2**63 - 1),
            st.text(max_size=10),
            st.dictionaries(KEYS.filter(lambda key: key != "$options"), BYTES_TOO, max_size=5),
            st.fixed_dictionaries({}, optional={"profile": st.text(), "timeout_s": st.integers()}),
        ),
        max_size=4,
    )
)
def test_a_request_comes_through_as_it_was_sent(
    requests: list[tuple[int, str, dict[str, Any], dict[str, Any]]],
) -> None:
    """Method, params with bytes and what looks like markers, and options survive the wire."""
    decoder = Decoder()
    for one in requests:
        decoder.feed(b"".join(encode_request(*one)))
    for call_id, method, params, options in requests:
        event = decoder.next()
        assert isinstance(event, Message)
        assert read(event) == Request(call_id, False, method, params, options)
    assert decoder.next() is None


@UNHURRIED
@given(result=BYTES_TOO)
def test_a_result_comes_through_as_it_was_given(result: Any) -> None:
    """The other way the same holds, whatever the service's answer looks like."""
    answer = came_through(encode_result(1, result))
    request = read(
        Message({"jsonrpc": "2.0", "method": "m", "params": answer.envelope}, answer.blobs)
    )
    assert request.params["result"] == result


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
    assert came_through([piece]).envelope == {"text": "a\nb\u2028\ud800"}


@pytest.mark.parametrize("call_id", ["", "a" * MAX_ID, "\ud800", 0, -(2**63), 2**63 - 1, None])
def test_ids_of_all_kinds(call_id: Any) -> None:
    """Strings, whole numbers and null are ids, and null is not a notification."""
    request = read(message(id=call_id))
    assert request.request_id == call_id
    assert not request.is_notification
    assert encode_result(request.request_id, 1)


@pytest.mark.parametrize("call_id", [True, False, 1.5, 1.0, [], {}, "a" * (MAX_ID + 1), 2**63])
def test_what_is_no_id(call_id: Any) -> None:
    """All else is refused."""
    assert refusal(id=call_id).code == Code.INVALID_REQUEST


def test_without_an_id_it_is_a_notification() -> None:
    """A request that no answer is wanted for."""
    request = read(message(id=ABSENT))
    assert request.is_notification
    assert request.request_id is None


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"jsonrpc": ABSENT}, Code.INVALID_REQUEST),
        ({"jsonrpc": "1.0"}, Code.INVALID_REQUEST),
        ({"jsonrpc": 2.0}, Code.INVALID_REQUEST),
        ({"method": ABSENT}, Code.INVALID_REQUEST),
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
        ({"params": {"$base64": "QQ=="}}, Code.INVALID_PARAMS),
        ({"params": {"$options": {"bytes": [1]}}}, Code.INVALID_REQUEST),
        ({"result": 1}, Code.INVALID_REQUEST),
        ({"colour": "red"}, Code.INVALID_REQUEST),
    ],
)
def test_what_is_no_request(changes: dict[str, Any], code: Code) -> None:
    """Each mistake has its code, and none is ignored."""
    assert refusal(**changes).code == code


def test_params_may_be_left_out() -> None:
    """An operation without arguments needs no params."""
    assert read(message(params=ABSENT)).params == {}


def test_options_stand_beside_the_params() -> None:
    """What is about the request and not the operation stands in the envelope."""
    request = read(message(timeout_s=2.5, profile="p", params={"Key": "k"}))
    assert request.options == {"timeout_s": 2.5, "profile": "p"}
    assert request.params == {"Key": "k"}


def test_options_may_stand_in_the_params() -> None:
    """For libraries that write nothing else into the envelope; there they win."""
    params = {"Key": "k", "$options": {"timeout_s": 1}}
    request = read(message(timeout_s=2.5, profile="p", params=params))
    assert request.options == {"timeout_s": 1, "profile": "p"}
    assert request.params == {"Key": "k"}


def test_an_unknown_option_is_named_beside_those_there_are() -> None:
    """A misspelt option is an error that shows the right spelling."""
    assert "'timeout'" in str(refusal(timeout=3))
    assert "profile, progress, timeout_s" in str(refusal(timeout=3))


@pytest.mark.parametrize("marker", [b'{"$bytes":0}', b'{"$stream":7}', b'{"$base64":"QQ=="}'])
def test_params_are_no_marker(marker: bytes) -> None:
    """What stands for one thing cannot be the names and values that an operation wants."""
    decoder = Decoder()
    decoder.feed(b'{"jsonrpc":"2.0","method":"m","bytes":[1],"params":' + marker + b"}\nx")
    event = decoder.next()
    assert isinstance(event, Message)
    with pytest.raises(RpcError, match="not a marker") as refused:
        read(event, {7: object()})
    assert refused.value.code == Code.INVALID_PARAMS


@pytest.mark.parametrize("inside", ["1", '"$"'])
@pytest.mark.parametrize(("depth", "is_fine"), [(MAX_DEPTH, True), (MAX_DEPTH + 1, False)])
def test_params_are_not_nested_for_ever(inside: str, depth: int, is_fine: bool) -> None:
    """JSON that can be read may still be deeper than any operation's params, marker or none."""
    deep = "[" * (depth - 1) + inside + "]" * (depth - 1)
    text = f'{{"jsonrpc":"2.0","method":"m","params":{{"a":{deep}}}}}\n'
    if is_fine:
        assert read(came_through([text.encode()])).params == {"a": json.loads(deep)}
        return
    with pytest.raises(RpcError, match="nested deeper"):
        read(came_through([text.encode()]))


def test_markers_in_params_become_bytes() -> None:
    """Declared bytes and base64 both come out as bytes; what refers to nothing stays."""
    decoder = Decoder()
    decoder.feed(
        b'{"jsonrpc":"2.0","method":"m","bytes":[2],"params":'
        b'{"a":{"$bytes":0},"b":{"$base64":"eHk="},"c":{"$bytes":1}}}\nxy'
    )
    event = decoder.next()
    assert isinstance(event, Message)
    assert read(event).params == {"a": b"xy", "b": b"xy", "c": {"$bytes": 1}}


def test_what_is_plain_is_not_looked_through() -> None:
    """The decoder's word that there is no marker is taken: most requests are not walked."""
    params = {"Body": {"$base64": "QQ=="}}
    plain = message(params=params)._replace(is_plain=True)
    assert read(plain).params is params


def test_option_and_envelope_keys_do_not_overlap() -> None:
    """What is an option cannot be part of the envelope, or it would be read as two things."""
    assert not OPTION_KEYS & ENVELOPE_KEYS


@UNHURRIED
@given(changes=st.dictionaries(st.sampled_from(sorted(ENVELOPE_KEYS | OPTION_KEYS)), JSON))
def test_a_request_is_read_or_refused(changes: dict[str, Any]) -> None:
    """Whatever stands in an envelope, it is a request with a text and an object, or an error."""
    try:
        request = read(message(**changes))
    except RpcError:
        return
    assert isinstance(request.method, str)
    assert isinstance(request.params, dict)
    assert request.options.keys() <= OPTION_KEYS


def test_a_stream_in_params_is_what_was_opened_for_it() -> None:
    """The marker of a declared stream is the stream; of another, plain data."""
    stream = object()
    request = read(message(params={"Body": {"$stream": 7}, "x": {"$stream": 8}}), {7: stream})
    assert request.params == {"Body": stream, "x": {"$stream": 8}}


# What we write


def test_a_result_declares_the_streams_that_it_holds() -> None:
    """By their numbers, and only those that stand in it."""
    body, other = object(), object()
    envelope = came_through(encode_result(1, {"Body": body}, {body: 7, other: 8})).envelope
    assert envelope["result"] == {"Body": {"$stream": 7}}
    assert envelope["streams"] == [7]
    assert "streams" not in came_through(encode_result(1, {}, {body: 7})).envelope


@pytest.mark.parametrize("value", [object(), {1, 2}, [object()], {"k": 1j}])
def test_what_has_no_marker_does_not_stand_in_a_message(value: Any) -> None:
    """It is named by its kind, and by nothing of what is in it."""
    with pytest.raises(TypeError):
        encode_result(1, value, {object(): 1})
    with pytest.raises(TypeError, match="object cannot stand in a message"):
        Carrier([])(object())


def test_a_batch_is_answered_in_one_line() -> None:
    """The entries are those that single answers would be, in an array."""
    error = RpcError(Code.CANCELLED, "no")
    entries = [{"jsonrpc": "2.0", "id": 1, "result": "a\nb"}, error_envelope("x", error)]
    text = b"".join(encode_array([encode_entry(entry) for entry in entries]))
    assert text.count(b"\n") == 1
    assert text.endswith(b"]\n")
    assert json.loads(text) == entries
