"""What SQS's parameters look like: refused by name before anything is sent."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botod.daemon.services.shapes import InvalidParam
from botod.daemon.services.sqs_shapes import (
    MAX_MESSAGE_BYTES,
    NOT_ALLOWED,
    MessageText,
    QueuePath,
    message_bytes,
)
from botod.daemon.services.sqs_table import SERVICE

QUEUE = {"QueueUrl": "http://h/1/q"}


def read(operation: str, **params: Any) -> dict[str, Any]:
    """The params as the operation gets them."""
    return SERVICE.operations[operation].params.read(QUEUE | params, "")


def refused(operation: str, **params: Any) -> str:
    """Why they are none."""
    with pytest.raises(InvalidParam) as caught:
        read(operation, **params)
    return str(caught.value)


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("http://h/1/q", "/1/q"),
        ("/1/q", "/1/q"),
        ("1/q", "/1/q"),
        ("//evil/1/q", "/1/q"),
        ("http://h//evil/q", "/evil/q"),
        ("http://h/1/q%20x", "/1/q%20x"),
    ],
)
def test_a_queue_s_path(url: str, path: str) -> None:
    """Whatever is given, what goes out is a path that begins with one slash."""
    assert QueuePath().read(url, "QueueUrl") == path


@pytest.mark.parametrize(
    "url", ["", "http://h", "http://h/", "http://h//", "http://[h/1/q", "http://h/1/q x", "/1/ü", 7]
)
def test_what_is_no_queue_url(url: Any) -> None:
    """Without a path, or with one that no request line can carry, it is refused by name."""
    with pytest.raises(InvalidParam, match="QueueUrl"):
        QueuePath().read(url, "QueueUrl")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("a\x00", "MessageBody has the character U+0000 at position 1"),
        ("\x1f", "MessageBody has the character U+001F at position 0"),
        ("ab\ufffe", "MessageBody has the character U+FFFE at position 2"),
        ("\uffff" * 3, "MessageBody has the character U+FFFF at position 0"),
    ],
)
def test_characters_that_sqs_replaces_are_refused(body: str, words: str) -> None:
    """With the character and where it stands, in bodies, in batches and in attributes."""
    assert refused("send_message", MessageBody=body).startswith(words)
    entry = {"Id": "a", "MessageBody": body}
    assert refused("send_message_batch", Entries=[entry]).startswith(f"Entries[0].{words}")
    attributes = {"n": {"DataType": "String", "StringValue": body}}
    words = words.replace("MessageBody", "MessageAttributes.n.StringValue")
    assert refused("send_message", MessageBody="x", MessageAttributes=attributes).startswith(words)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_all_that_xml_can_hold_may_be_sent(text: str) -> None:
    """The bound is XML's own: a parser takes what is allowed, and nothing else."""
    is_allowed = all(
        char in "\t\n\r"
        or "\x20" <= char <= "\ud7ff"
        or "\ue000" <= char <= "\ufffd"
        or char > "\uffff"
        for char in text
    )
    assert (NOT_ALLOWED.search(text) is None) is is_allowed
    if is_allowed:
        assert MessageText().read(text, "MessageBody") == text


@pytest.mark.parametrize(
    ("attribute", "words"),
    [
        ({"DataType": "Text", "StringValue": "x"}, "DataType has to be String, Number or Binary"),
        ({"DataType": "String.", "StringValue": "x"}, "DataType has to be String, Number"),
        ({"DataType": "String"}, "is of the type String: it has a StringValue and nothing else"),
        ({"DataType": "Number.int", "BinaryValue": b"x"}, "of the type Number.int: it has a Str"),
        ({"DataType": "Binary", "StringValue": "x"}, "of the type Binary: it has a BinaryValue"),
        ({"DataType": "Binary.png", "StringValue": "x", "BinaryValue": b"x"}, "nothing else"),
    ],
)
def test_an_attribute_has_the_value_that_its_type_says(
    attribute: dict[str, Any], words: str
) -> None:
    """A type of one's own counts as what stands before the dot."""
    assert words in refused("send_message", MessageBody="x", MessageAttributes={"n": attribute})


def test_types_of_one_s_own() -> None:
    """They are taken as they are."""
    attributes = {
        "text": {"DataType": "String.json", "StringValue": "{}"},
        "raw": {"DataType": "Binary.png", "BinaryValue": b"\x89"},
        "count": {"DataType": "Number", "StringValue": "1"},
    }
    assert (
        read("send_message", MessageBody="x", MessageAttributes=attributes)["MessageAttributes"]
        == attributes
    )


def test_the_system_s_attributes() -> None:
    """There is one that may be sent."""
    trace = {"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1"}}
    assert read("send_message", MessageBody="x", MessageSystemAttributes=trace)
    words = refused("send_message", MessageBody="x", MessageSystemAttributes={"SenderId": {}})
    assert "has to be one of AWSTraceHeader" in words


def test_a_message_has_a_mebibyte_with_its_attributes() -> None:
    """Names, types and values count."""
    attributes = {"n": {"DataType": "Binary", "BinaryValue": b"x"}}
    body = "x" * (MAX_MESSAGE_BYTES - 8)
    message = read("send_message", MessageBody=body, MessageAttributes=attributes)
    assert message_bytes(message) == MAX_MESSAGE_BYTES
    words = refused("send_message", MessageBody=body + "x", MessageAttributes=attributes)
    assert words == "the message has 1048577 bytes with its attributes; 1048576 may be"


def test_a_batch_has_a_mebibyte_and_each_entry_an_id_of_its_own() -> None:
    """Both are said before anything is sent."""
    half = {"MessageBody": "x" * (MAX_MESSAGE_BYTES // 2)}
    read("send_message_batch", Entries=[{"Id": "a"} | half, {"Id": "b"} | half])
    entries = [{"Id": "a"} | half, {"Id": "b"} | half, {"Id": "c", "MessageBody": "x"}]
    words = refused("send_message_batch", Entries=entries)
    assert words == "Entries has 1048577 bytes together; 1048576 may be"
    for operation in ("delete_message_batch", "change_message_visibility_batch"):
        entries = [{"Id": "a", "ReceiptHandle": "1"}] * 2
        words = refused(operation, Entries=entries)
        assert words == "Entries has the Id 'a' twice; each has its own"
    assert "may hold letters" in refused(
        "delete_message_batch", Entries=[{"Id": "a b", "ReceiptHandle": "1"}]
    )
    assert "has 11 items" in refused(
        "delete_message_batch",
        Entries=[{"Id": str(number), "ReceiptHandle": "1"} for number in range(11)],
    )
