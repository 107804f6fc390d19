"""Shapes: what is read, and that each refusal names the parameter and says what is allowed."""

import contextlib
import os
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from botod.daemon.services import SERVICES
from botod.daemon.services.shapes import (
    Blob,
    Body,
    BucketName,
    Destination,
    Either,
    Flag,
    HeaderName,
    HeaderText,
    InvalidParam,
    ListOf,
    MapOf,
    Number,
    Shape,
    Struct,
    Text,
)
from botod.ipc.descriptors import Descriptor
from botod.ipc.streams import IncomingStream
from support.exchanges import incoming

PERSON = Struct(
    {"Name": Text(1)}, {"Age": Number(0, 150), "Pets": ListOf(Struct({"Name": Text()}))}
)


@pytest.mark.parametrize(
    ("shape", "value", "read"),
    [
        (Text(), "", ""),
        (Text(), "ü\x00\n", "ü\x00\n"),
        (Text(), "ü".encode(), "ü"),
        (Text(2, 3), "abc", "abc"),
        (Text(choices=("COPY", "REPLACE")), "COPY", "COPY"),
        (HeaderText(), " ~a:b", " ~a:b"),
        (HeaderName(), "x-Camera_1", "x-Camera_1"),
        (BucketName(3, 255), "My.photos_2-x", "My.photos_2-x"),
        (Number(), 0, 0),
        (Number(-5, 5), -5, -5),
        (Number(), 10**30, 10**30),
        (Flag(), False, False),
        (Blob(), b"\xff", b"\xff"),
        (Blob(), "ü", "ü".encode()),
        (ListOf(Number()), [], []),
        (ListOf(Text(), 1, 2), ["a", b"b"], ["a", "b"]),
        (MapOf(Text(), Number()), {"a": 1}, {"a": 1}),
        (Either(Text(), Number()), "a", "a"),
        (Either(Text(), Number()), b"a", "a"),
        (Either(Text(), Number()), 1, 1),
        (Text(max_bytes=2), "ü", "ü"),
        (Blob(2), "ü", "ü".encode()),
        (MapOf(Text(), Text(), 2), {"a": "", "b": ""}, {"a": "", "b": ""}),
        (MapOf(Text(), Text(), total_bytes=4), {"ü": "ab"}, {"ü": "ab"}),
        (PERSON, {"Name": "a", "Pets": [{"Name": "b"}]}, {"Name": "a", "Pets": [{"Name": "b"}]}),
        (Struct(), {}, {}),
    ],
)
def test_what_is_allowed_is_read(shape: Shape, value: Any, read: Any) -> None:
    """A value comes out as the operation uses it."""
    assert shape.read(value, "X") == read


@pytest.mark.parametrize(
    ("shape", "value", "words"),
    [
        (Text(), 7, "X has to be a text, not a number"),
        (Text(), None, "X has to be a text, not null"),
        (Text(), b"\xff", "X has to be a text; these bytes are not UTF-8"),
        (Text(), "a\ud800", "X holds half of a surrogate pair, which is no character"),
        (Text(1), "", "X must not be empty"),
        (Text(3), "ab", "X has 2 characters; at least 3 have to be"),
        (Text(0, 2), "abc", "X has 3 characters; 2 may be"),
        (Text(max_bytes=2), "aü", "X has 3 bytes; 2 may be"),
        (Text(max_bytes=2), "\ud800", "X has 3 bytes; 2 may be"),
        (HeaderText(), "a" * 8193, "X has 8193 bytes; 8192 may be"),
        (Text(choices=("COPY", "REPLACE")), "copy", "X has to be one of COPY, REPLACE"),
        (HeaderText(), "ü", "X travels in a header: only printable ASCII characters"),
        (HeaderText(), "a\r\nb: c", "X travels in a header: only printable ASCII characters"),
        (HeaderText(), "a\n", "X travels in a header: only printable ASCII characters"),
        (HeaderName(), "a b", "X travels as a header's name: no spaces, no separators"),
        (HeaderName(), "a:", "X travels as a header's name: no spaces, no separators"),
        (HeaderName(), "a\n", "X travels as a header's name: no spaces, no separators"),
        (BucketName(), "localhost/x", "X may hold letters, digits, '.', '-' and '_' only"),
        (BucketName(), "photos?acl", "X may hold letters, digits, '.', '-' and '_' only"),
        (BucketName(), "photos\n", "X may hold letters, digits, '.', '-' and '_' only"),
        (Number(), "1", "X has to be a whole number, not a text"),
        (Number(), 1.0, "X has to be a whole number, not a number with a fraction"),
        (Number(), True, "X has to be a whole number, not true or false"),
        (Number(0, 900), 901, "X is 901; allowed is 0 to 900"),
        (Number(0), -1, "X is -1; allowed is 0 or more"),
        (Flag(), 1, "X has to be true or false, not a number"),
        (Flag(), "true", "X has to be true or false, not a text"),
        (Blob(), [1], "X has to be a text, not a list"),
        (Blob(2), b"abc", "X has 3 bytes; 2 may be"),
        (Blob(2), "aü", "X has 3 bytes; 2 may be"),
        (ListOf(Text()), "a", "X has to be a list, not a text"),
        (ListOf(Text()), b"a", "X has to be a list, not bytes"),
        (ListOf(Text(), 1, 10), [], "X has 0 items; allowed is 1 to 10"),
        (ListOf(Text(), 1), [], "X has 0 items; allowed is 1 or more"),
        (ListOf(Text()), ["a", 1], "X[1] has to be a text, not a number"),
        (MapOf(Text(1), Text()), [], "X has to be an object, not a list"),
        (MapOf(Text(1), Text()), {"": "a"}, "a key of X must not be empty"),
        (MapOf(Text(1), Text()), {"a": 1}, "X.a has to be a text, not a number"),
        (MapOf(Text(), Text(), 1), {"a": "", "b": ""}, "X has 2 keys; 1 may be"),
        (MapOf(Text(), Text(), total_bytes=1), {"a": "", "b": ""}, "X has 2 keys; 1 may be"),
        (
            MapOf(Text(), Text(), total_bytes=4),
            {"ü": "abc"},
            "X has 5 bytes of keys and values; 4 may be",
        ),
        (Either(Text(1), PERSON), "", "X must not be empty"),
        (Either(Text(1), PERSON), 7, "X has to be an object, not a number"),
        (PERSON, [], "X has to be an object, not a list"),
        (PERSON, {"Age": 1}, "X.Name is missing"),
        (PERSON, {"Name": "a", "Agee": 1}, "X.Agee is unknown; there are: Name, Age, Pets"),
        (PERSON, {"Name": "a", "Pets": [{}]}, "X.Pets[0].Name is missing"),
        (Struct(), {"a": 1}, "X.a is unknown; there are none"),
    ],
)
def test_what_is_not_allowed_is_refused_by_name(shape: Shape, value: Any, words: str) -> None:
    """The message names the parameter, what is wrong and what would be right."""
    with pytest.raises(InvalidParam) as caught:
        shape.read(value, "X")
    assert str(caught.value) == words


LONG = "x" * 16_000_000
MANY = dict.fromkeys(map(str, range(100_000)), "")
PLAIN_VALUES: tuple[Any, ...] = (LONG, MANY, [{}] * 100_000)


def _unbounded(shape: Shape, where: str) -> Iterator[str]:
    """The parameters below `shape` that take a value of whatever length."""
    parts: dict[str, Shape] = {}
    if isinstance(shape, Struct):
        parts = {
            f"{where}.{name}": part for name, part in (shape.required | shape.optional).items()
        }
    elif isinstance(shape, ListOf):
        parts = {f"{where}[]": shape.item}
    elif isinstance(shape, MapOf):
        parts = {f"{where}'s key": shape.key, f"{where}'s value": shape.item}
    elif isinstance(shape, Either):
        parts = {where: shape.text, f"{where} ": shape.other}
    for value in PLAIN_VALUES:
        with contextlib.suppress(InvalidParam):
            shape.read(value, where)
            yield where
    for name, part in parts.items():
        yield from _unbounded(part, name)


def test_nothing_but_a_body_is_as_long_as_one_likes() -> None:
    """boto takes seconds over what no service would take, and the loop with it."""
    found = {
        where
        for method, operation in ROWS.items()
        for where in _unbounded(operation.params, method)
    }
    assert found == {"s3.put_object.Body", "s3.upload_file.Body"}


def test_at_the_top_keys_are_the_parameters() -> None:
    """There the names stand alone, as the user wrote them."""
    with pytest.raises(InvalidParam, match=r"^Name is missing$"):
        PERSON.read({}, "")
    with pytest.raises(InvalidParam, match=r"^Nmae is unknown; there are: Name, Age, Pets$"):
        PERSON.read({"Name": "a", "Nmae": "b"}, "")


@pytest.fixture
def beside() -> Iterator[tuple[Descriptor, IncomingStream]]:
    """What a message may carry beside JSON and bytes."""
    descriptor = Descriptor(os.memfd_create("body"))
    yield descriptor, incoming([])
    descriptor.close()


def test_a_body_may_come_beside_the_message(beside: tuple[Descriptor, IncomingStream]) -> None:
    """It is passed on as it is; bytes and texts are read as ever."""
    for one in beside:
        assert Body().read(one, "Body") is one
    assert Body().read("ü", "Body") == "ü".encode()
    with pytest.raises(InvalidParam, match="Body has to be a text, not a number"):
        Body().read(7, "Body")


def test_a_destination_is_a_descriptor(beside: tuple[Descriptor, IncomingStream]) -> None:
    """Nothing else can be written to, least of all a path."""
    descriptor, stream = beside
    assert Destination().read(descriptor, "Body") is descriptor
    for value, words in ((stream, "a stream"), ("/etc/passwd", "a text"), (b"", "bytes")):
        with pytest.raises(InvalidParam, match=f"Body has to be a descriptor, .* not {words}"):
            Destination().read(value, "Body")


@pytest.mark.parametrize("shape", [Text(), Blob(), Number(), Flag(), ListOf(Text()), PERSON])
def test_nothing_else_comes_beside_the_message(
    shape: Shape, beside: tuple[Descriptor, IncomingStream]
) -> None:
    """Where it does not belong it is refused by name."""
    for one, words in zip(beside, ("a descriptor", "a stream"), strict=True):
        with pytest.raises(InvalidParam, match=f"x has to be .* not {words}"):
            shape.read(one, "x")


ROWS = {
    f"{service}.{name}": operation
    for service, table in SERVICES.items()
    for name, operation in table.operations.items()
}

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)
@given(st.data())
def test_whatever_comes_is_read_or_refused(data: st.DataObject) -> None:
    """No value that a message can carry makes a shape fail in another way than by refusing."""
    operation = ROWS[data.draw(st.sampled_from(sorted(ROWS)))]
    known = {**operation.params.required, **operation.params.optional}
    params = {name: data.draw(VALUES) for name in operation.params.required}
    if known:
        params |= data.draw(st.dictionaries(st.sampled_from(sorted(known)), VALUES, max_size=3))
    with contextlib.suppress(InvalidParam):
        assert operation.params.read(params, "").keys() == params.keys()
