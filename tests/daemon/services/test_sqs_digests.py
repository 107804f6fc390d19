"""MD5 of messages, against those who make it too."""

import hashlib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from moto.sqs.models import Message

from botod.daemon.services.sqs_digests import differing, md5_of_attributes, md5_of_body
from botod.daemon.services.sqs_messages import HASHED_HERE_BYTES, changed

NAMES = st.text("abcXYZ019_-.", min_size=1, max_size=20)
SUFFIXES = st.sampled_from(["", ".own", ".a.b"])
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
VALUES = st.one_of(
    st.builds(
        lambda suffix, text: {"DataType": f"String{suffix}", "StringValue": text}, SUFFIXES, TEXTS
    ),
    st.builds(
        lambda suffix, n: {"DataType": f"Number{suffix}", "StringValue": str(n)},
        SUFFIXES,
        st.integers(),
    ),
    st.builds(
        lambda suffix, blob: {"DataType": f"Binary{suffix}", "BinaryValue": blob},
        SUFFIXES,
        st.binary(min_size=1),
    ),
)


@given(st.dictionaries(NAMES, VALUES, max_size=10))
def test_attributes_as_moto_has_them(attributes: dict[str, Any]) -> None:
    """By their names in order, whatever order they came in."""
    theirs = Message("id", "body", {})
    theirs.message_attributes = attributes
    assert md5_of_attributes(attributes) == theirs.attribute_md5
    backwards = dict(reversed(attributes.items()))
    assert md5_of_attributes(backwards) == theirs.attribute_md5


def test_the_layout_as_aws_documents_it() -> None:
    """Length and name, length and type, how it travels, length and value."""
    layout = b"\0\0\0\1n" + b"\0\0\0\x08Binary.x" + b"\2" + b"\0\0\0\2\x00\xff"
    attributes = {"n": {"DataType": "Binary.x", "BinaryValue": b"\x00\xff"}}
    assert md5_of_attributes(attributes) == hashlib.md5(layout).hexdigest()


def test_what_was_not_told_is_not_compared() -> None:
    """And of what was the first that differs is named."""
    names = {"Body": "MD5OfBody", "MessageAttributes": "MD5OfMessageAttributes"}
    message = {"Body": "ü", "MessageAttributes": {}}
    assert not differing(message, {}, names)
    assert not differing(message, {"MD5OfBody": hashlib.md5("ü".encode()).hexdigest()}, names)
    assert differing(message, {"MD5OfBody": "0", "MD5OfMessageAttributes": "0"}, names) == "Body"
    assert not differing({}, {"MD5OfBody": "0"}, names)


def test_large_and_small_are_compared_alike() -> None:
    """Wherever that is done."""
    for size in (1, HASHED_HERE_BYTES, HASHED_HERE_BYTES + 1):
        sent = [{"MessageBody": "x" * size}, {"MessageBody": "y"}]
        told = [{"MD5OfMessageBody": md5_of_body("x" * size)}, {"MD5OfMessageBody": "0"}]
        first, second = changed(sent, told)
        assert first is None
        assert second is not None
