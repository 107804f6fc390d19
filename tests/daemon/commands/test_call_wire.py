"""The wire by hand: the same as botod.ipc does, where both can be asked."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from botod.daemon.commands.call_wire import (
    Failed,
    NoDaemon,
    ask,
    default_socket,
    dumps,
    filled,
    loads,
    pretty,
)
from botod.ipc import RpcError, connect
from botod.ipc import default_socket as ipc_default_socket
from support.daemons import BOUND_S, Daemon, short_folder
from support.environ import set_environ

VALUES = [
    None, True, False, 0, -1, 1.5, 1e300, "", 'ü日\U0001f600\n"\\\x00\x1f', [], {}, [[], {}],
    {"a": [1, {"b": None}], "ü": "x"}, [1, "2", [3, {}]],
]  # fmt: skip


@contextmanager
def speaking(*pieces: bytes) -> Iterator[str]:
    """A daemon that says these pieces to whoever asks it something, then hangs up."""
    with short_folder() as folder, socket.socket(socket.AF_UNIX) as listener:
        path = str(folder / "x.sock")
        listener.bind(path)
        listener.listen()

        def answer() -> None:
            peer, _address = listener.accept()
            with peer:
                peer.recv(65536)
                for piece in pieces:
                    peer.sendall(piece)

        thread = threading.Thread(target=answer)
        thread.start()
        yield path
        thread.join(BOUND_S)


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_json_is_that_of_the_standard_library(value: Any) -> None:
    """In one line and laid out, there and back."""
    assert dumps(value) == json.dumps(value, separators=(",", ":"))
    assert pretty(value) == json.dumps(value, indent=2, ensure_ascii=False)
    assert loads(f" \t{json.dumps(value, indent=1)}\r\n") == value


@pytest.mark.parametrize(
    "text",
    ["", " ", "x", "NaN", "[-Infinity]", "1 2", "{}x", "[", '{"a"}', '"\n"', "\ufeff1", "01"],
)
def test_what_is_no_json_is_refused(text: str) -> None:
    """As the standard library does, and without its constants that are none of JSON's."""
    with pytest.raises(ValueError, match=r"."):
        loads(text)


def test_numbers_that_json_does_not_have_are_not_written() -> None:
    """Nothing would read them."""
    with pytest.raises(ValueError, match=r"."):
        dumps(float("nan"))
    with pytest.raises(TypeError, match="nothing that JSON has"):
        dumps({1, 2})


def test_markers_are_filled() -> None:
    """At any depth; what refers to nothing, and a literal, are data."""
    blobs = (b"first", b"second")
    value = {"Body": {"$bytes": 1}, "List": [{"$bytes": 0}], "Plain": {"$bytes": 2}}
    assert filled(value, blobs) == {
        "Body": b"second",
        "List": [b"first"],
        "Plain": {"$bytes": 2},
    }
    assert filled({"$literal": {"$bytes": 0}}, blobs) == {"$bytes": 0}
    assert filled({"$literal": {"a": {"$bytes": 0}}}, blobs) == {"a": b"first"}
    assert filled([{"$bytes": True}, {"$bytes": -1}], blobs) == [{"$bytes": True}, {"$bytes": -1}]


def test_bytes_are_laid_out_as_base64() -> None:
    """A person sees a text."""
    assert pretty({"a": [b"\x00\xff"]}) == '{\n  "a": [\n    "AP8="\n  ]\n}'


def test_an_answer_in_pieces() -> None:
    """The line, and its bytes, may come cut anywhere."""
    line = b'{"jsonrpc":"2.0","id":1,"result":[{"$bytes":0},{"$bytes":1}],"bytes":[3,2]}\n'
    with speaking(line[:10], line[10:] + b"a", b"bcd", b"e") as path:
        result, blobs = ask(path, {"method": "x.y"})
    assert filled(result, blobs) == [b"abc", b"de"]


@pytest.mark.parametrize("pieces", [[], [b'{"id"'], [b'{"id":1,"result":1,"bytes":[2]}\n', b"x"]])
def test_an_answer_that_is_cut_short(pieces: list[bytes]) -> None:
    """Nobody knows whether the request was done."""
    with (
        speaking(*pieces) as path,
        pytest.raises(NoDaemon, match="whether the request was done is not known"),
    ):
        ask(path, {"method": "x.y"})


def test_a_deadline_that_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A daemon that says nothing is waited for no longer than the deadline and some."""
    monkeypatch.setattr("botod.daemon.commands.call_wire.GRACE_S", 0.0)
    with short_folder() as folder, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "x.sock"))
        listener.listen()
        with pytest.raises(NoDaemon, match="timed out"):
            ask(str(folder / "x.sock"), {"method": "x.y", "timeout_s": 0.01})


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("s3.get_object", {"Bucket": "photos", "Key": "dog.jpg"}),
        ("s3.get_object", {"Bucket": "photos"}),
        ("no.such", {}),
    ],
)
def test_errors_are_worded_as_the_client_s(daemon: Daemon, method: str, params: Any) -> None:
    """A person sees the same words from both."""
    with daemon.connect() as connection, pytest.raises(RpcError) as theirs:
        connection.call(method, params)
    with pytest.raises(Failed) as ours:
        ask(None, {"method": method, "params": params})
    assert str(ours.value) == str(theirs.value)


@pytest.mark.parametrize("named", ["", "/x/y.sock"])
@pytest.mark.parametrize("runtime", ["", "/run/user/1"])
def test_the_usual_place_is_the_client_s(
    monkeypatch: pytest.MonkeyPatch, named: str, runtime: str
) -> None:
    """Both look in the same order."""
    set_environ(monkeypatch, "BOTOD_SOCKET", named)
    set_environ(monkeypatch, "XDG_RUNTIME_DIR", runtime)
    assert default_socket() == ipc_default_socket()


def test_no_daemon_is_worded_as_the_client_s() -> None:
    """Where it looked, and what to do."""
    with pytest.raises(NoDaemon) as ours:
        ask("/no/such.sock", {"method": "x.y"})
    with pytest.raises(Exception, match="no daemon answers") as theirs:
        connect("/no/such.sock")
    assert str(ours.value) == str(theirs.value)
