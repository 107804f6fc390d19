"""One request to the daemon, with what the interpreter has at hand.

`botod call` is started by shell scripts many times a second. To import `socket` and `json` takes
longer than all else that it does, the start of the interpreter included (`make bench
WORK=one-shot`), and `os` a millisecond; so this uses the C modules beneath them, and neither
`typing` nor the rest of botod. What needs more than one request on a connection uses `botod.ipc`.
"""

import _json
import _socket
import posix
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, NoReturn

GRACE_S = 5.0
"""Beyond a request's own deadline: the daemon answers at the deadline, the answer has to travel."""

CONNECT_TIMEOUT_S = 60.0

UNSAID_DEADLINE_S = 900.0
"""No daemon gives a request that names no deadline more, unless it was set so."""

READ_BYTES = 256 * 1024

SYSTEM_SOCKET = "/run/botod/botod.sock"

SERVICE_ERROR = -32000


class NoDaemon(Exception):
    """No daemon answers, or it went away before it answered."""


class Failed(Exception):
    """The request failed; the text is one line for a person."""


def ask(
    path: str | None, request: "dict[str, Any]", blobs: "Sequence[bytes]" = ()
) -> "tuple[Any, tuple[bytes, ...]]":
    """Do one request; its result as it came, with the raw bytes that it refers to.

    path: of the daemon's socket; None: $BOTOD_SOCKET or the usual place. request: method, params
    and options as PROTOCOL.md has them. blobs: the raw bytes that its params refer to. Raises
    Failed, NoDaemon.
    """
    path = path or default_socket()
    envelope = {"jsonrpc": "2.0", "id": 1, **request}
    if blobs:
        envelope["bytes"] = [len(blob) for blob in blobs]
    deadline = time.monotonic() + request.get("timeout_s", UNSAID_DEADLINE_S) + GRACE_S
    sock = _connected(path)
    try:
        _send(sock, b"".join((dumps(envelope).encode(), b"\n", *blobs)), deadline)
        answer, body = _answer(sock, deadline)
    except OSError as error:
        raise NoDaemon(f"{path}: {error}; whether the request was done is not known") from None
    finally:
        sock.close()
    if answer.get("error") is not None:
        raise Failed(_words(answer["error"]))
    return answer.get("result"), body


def default_socket() -> str:
    """As botod.ipc has it: $BOTOD_SOCKET, else the system's socket, else the user's."""
    named = _said(b"BOTOD_SOCKET")
    if named:
        return named
    runtime = _said(b"XDG_RUNTIME_DIR")
    if runtime and not _exists(SYSTEM_SOCKET):
        return f"{runtime}/botod.sock"
    return SYSTEM_SOCKET


def _said(name: bytes) -> str:
    """What this process was started with under that name in its environment."""
    said: bytes = posix.environ.get(name, b"")
    return said.decode(sys.getfilesystemencoding(), "surrogateescape")


def _exists(path: str) -> bool:
    try:
        posix.stat(path)
    except OSError:
        return False
    return True


def _connected(path: str) -> "_socket.socket":
    sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    sock.settimeout(CONNECT_TIMEOUT_S)
    try:
        sock.connect(path)
    except OSError as error:
        sock.close()
        raise NoDaemon(
            f"no daemon answers at {path}: {error.strerror or error}; "
            "start one with `botod run`, or name its socket in $BOTOD_SOCKET"
        ) from None
    return sock


def _send(sock: "_socket.socket", data: bytes, deadline: float) -> None:
    _bound(sock, deadline)
    try:  # noqa: SIM105 - contextlib is slow to import
        sock.sendall(data)
    except (BrokenPipeError, ConnectionResetError):
        pass  # it may have said why before it hung up


def _answer(sock: "_socket.socket", deadline: float) -> "tuple[dict[str, Any], tuple[bytes, ...]]":
    """The next message, and the raw bytes that it declares."""
    came = bytearray()
    while (end := came.find(b"\n")) < 0:
        came += _received(sock, deadline)
    answer = loads(came[:end].decode())
    sizes = answer.get("bytes", [])
    del came[: end + 1]
    while len(came) < sum(sizes):
        came += _received(sock, deadline)
    blobs = []
    for size in sizes:
        blobs.append(bytes(came[:size]))
        del came[:size]
    return answer, tuple(blobs)


def _received(sock: "_socket.socket", deadline: float) -> bytes:
    _bound(sock, deadline)
    data = sock.recv(READ_BYTES)
    if not data:
        raise ConnectionResetError("the daemon hung up")
    return data


def _bound(sock: "_socket.socket", deadline: float) -> None:
    left_s = deadline - time.monotonic()
    if left_s <= 0:
        raise TimeoutError("timed out")
    sock.settimeout(left_s)


def _words(error: "dict[str, Any]") -> str:
    """The error as botod.ipc's classes say it."""
    data = error.get("data") or {}
    if error["code"] == SERVICE_ERROR:
        return f"{data.get('type', 'Unknown')} from {data.get('operation')}: {error['message']}"
    return f"{error['message']} ({error['code']})"


def filled(value: "Any", blobs: "Sequence[bytes]") -> "Any":
    """A result with its bytes in place of the markers that stand for them."""
    if isinstance(value, list):
        return [filled(item, blobs) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((name, inner),) = value.items()
        if name == "$bytes" and type(inner) is int and 0 <= inner < len(blobs):
            return blobs[inner]
        if name == "$literal" and isinstance(inner, dict):
            value = inner
    return {name: filled(inner, blobs) for name, inner in value.items()}


def loads(text: str) -> "Any":
    """The value of a text of JSON. Raises ValueError, RecursionError."""
    text = text.strip(" \t\r\n")
    try:
        value, end = _scan(text, 0)
    except StopIteration:
        raise ValueError("no value begins where one should") from None
    if end != len(text):
        raise ValueError(f"there is more after its end at character {end}")
    return value


def dumps(value: "Any") -> str:
    """A value as JSON in one line, in ASCII."""
    return "".join(_encode(value, 0))


def pretty(value: "Any", margin: str = "\n") -> str:
    """A value as JSON for a person: indented, with its letters as they are."""
    inner = margin + "  "
    if isinstance(value, dict) and value:
        items = [f"{_json.encode_basestring(k)}: {pretty(v, inner)}" for k, v in value.items()]
        return "{" + inner + f",{inner}".join(items) + margin + "}"
    if isinstance(value, list) and value:
        return "[" + inner + f",{inner}".join(pretty(v, inner) for v in value) + margin + "]"
    if isinstance(value, bytes):
        return f'"{as_base64(value)}"'
    return _json.encode_basestring(value) if isinstance(value, str) else dumps(value)


def as_base64(data: bytes) -> str:
    """Bytes as a text."""
    import binascii  # noqa: PLC0415 - rarely needed

    return binascii.b2a_base64(data, newline=False).decode()


def _no_constant(name: str) -> "NoReturn":
    raise ValueError(f"{name} is none of its numbers")


def _not_json(value: "Any") -> "NoReturn":
    raise TypeError(f"{value!r} is nothing that JSON has")


class _Reading:
    """What `_json` asks of the one who reads: JSON's own numbers, and nothing but JSON."""

    strict = True
    object_hook = None
    object_pairs_hook = None
    array_hook = None
    parse_float = float
    parse_int = int
    parse_constant = staticmethod(_no_constant)


_scan = _json.make_scanner(_Reading())  # type: ignore[arg-type]

_encode = _json.make_encoder(
    None, _not_json, _json.encode_basestring_ascii, None, ":", ",", False, False, False
)  # fmt: skip
