"""A test's fake connection, with the pool behind it.

Nearly all of boto's tests inject a fake connection by `https_connection_factory`, which the
override honours, so that such a test alone says nothing about the pool. Here the fake still sees
every call, and still says what the answer is, or raises; but boto's request goes through the pool
to a server on loopback that gives this answer, and boto reads the answer that the pool brings.
"""

from collections import Counter
from io import BytesIO
from typing import Any

from boto_suite.loopback import Answer, Loopback, Seen
from botod.pool.connection import HTTPConnection

CARRIED = "carried"

SAID_BY = frozenset({"request", "putrequest", "putheader", "endheaders", "send"})
"""The methods by which boto says its request."""

Call = tuple[str, tuple[Any, ...], dict[str, Any]]


class CannotReplay(Exception):
    """The fake's answer or the test's request is not one that can stand on a wire."""


class Replayed:
    """The fake as boto and the test see it. What becomes of each request is counted in `counts`."""

    def __init__(
        self, fake: Any, real: HTTPConnection, server: Loopback, counts: Counter[str]
    ) -> None:
        self._fake = fake
        self._real = real
        self._server = server
        self._counts = counts
        self._calls: list[Call] = []

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._fake, name)
        return _Noted(attribute, name, self._calls) if name in SAID_BY else attribute

    def getresponse(self) -> Any:
        """The pool's response; where that cannot be, the fake's, or what it raises."""
        try:
            fake = self._fake.getresponse()
        except BaseException:
            self._counts["the fake raises"] += 1
            raise
        try:
            answer, expected = answer_of(fake), request_of(self._calls)
        except CannotReplay as error:
            self._counts[str(error)] += 1
            return fake
        response = self._carried(answer, expected)
        if isinstance(fake.read(), str):
            read = response.read
            response.read = lambda amt=None: _BytesOfText(read(amt))
        self._counts[CARRIED] += 1
        return response

    def _carried(self, answer: Answer, expected: Seen) -> Any:
        """The answer, come through the pool. What boto said must have arrived, and this come."""
        self._server.answer, self._server.seen = answer, None
        for name, args, kwargs in self._calls:
            getattr(self._real, name)(*args, **kwargs)
        response = self._real.getresponse()
        assert self._server.seen is not None, "an answer came, but not from the server"
        compare(self._server.seen, expected)
        assert (response.status, response.reason) == (answer.status, answer.reason)
        assert set(answer.headers) <= set(response.getheaders())
        return response


class _Noted:
    """One of the fake's methods, each call of which is noted; to the test it is the fake's."""

    def __init__(self, method: Any, name: str, calls: list[Call]) -> None:
        self.__dict__.update(_method=method, _name=name, _calls=calls)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._method, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._method, name, value)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._name in {"request", "putrequest"}:
            self._calls.clear()
        # A file is read by the fake, and then put back by boto: the pool reads what it has now.
        kept = [_read(argument) if hasattr(argument, "read") else argument for argument in args]
        self._calls.append((self._name, tuple(kept), kwargs))
        return self._method(*args, **kwargs)


class _BytesOfText(bytes):
    """What was read, where the fake has text and the test may expect it: a server has bytes."""

    def __eq__(self, other: object) -> bool:
        return super().__eq__(other.encode() if isinstance(other, str) else other)

    __hash__ = bytes.__hash__


def answer_of(fake: Any) -> Answer:
    """What a test's fake response says, as a server can say it."""
    if not isinstance(fake.status, int):
        raise CannotReplay("no status")
    if not isinstance(fake.reason, str):
        raise CannotReplay("no reason")
    headers = fake.getheaders()
    if not isinstance(headers, list | dict):
        raise CannotReplay("no headers")
    pairs = headers.items() if isinstance(headers, dict) else headers
    body = fake.read()
    if not isinstance(body, str | bytes):
        raise CannotReplay("no body")
    body = body.encode() if isinstance(body, str) else body
    said = tuple((str(name), str(value)) for name, value in pairs)
    return Answer(fake.status, fake.reason, said, body)


def request_of(calls: list[Call]) -> Seen:
    """What boto said to its connection, as it must arrive; header names in lower case."""
    method = target = ""
    headers: list[tuple[str, Any]] = []
    body = b""
    for name, args, kwargs in calls:
        if name == "request":
            method, target, data, given, *_ = *args, *kwargs.values()
            headers += given.items()
            body += _bytes(data)
        elif name == "putrequest":
            method, target = args
        elif name == "putheader":
            headers.append(args)
        else:
            body += b"".join(map(_bytes, args))
    said = tuple((name.lower(), _text(value)) for name, value in headers)
    if any(n == "content-length" and value != str(len(body)) for n, value in said):
        raise CannotReplay("the request's Content-Length is not its body's")
    return Seen(method, target, said, body)


def compare(seen: Seen, expected: Seen) -> None:
    """All that boto said must have arrived; there may be more headers."""
    assert (seen.method, seen.target) == (expected.method, expected.target)
    missing = set(expected.headers) - {(name.lower(), value) for name, value in seen.headers}
    assert not missing, f"not sent: {missing}"
    assert seen.body == expected.body


def _bytes(data: Any) -> bytes:
    if isinstance(data, BytesIO):
        return data.getvalue()
    if isinstance(data, str):
        return data.encode("latin-1")
    if not isinstance(data, bytes):
        raise CannotReplay("the body is no body")
    return data


def _read(file: Any) -> BytesIO:
    """What is left of a file, as a file; the file itself stays where it is."""
    place = file.tell()
    data = file.read()
    file.seek(place)
    return BytesIO(data.encode() if isinstance(data, str) else data)


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)
