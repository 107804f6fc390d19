"""Bodies of objects through a daemon, to and from a server that speaks S3.

They go by descriptors, by streams and inline. The peers here are plain sockets with JSON.
"""

import array
import contextlib
import json
import os
import resource
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pytest

from botod.ipc import Code
from support.daemons import BOUND_S, Daemon, running_daemon, wait_until
from support.servers import Servers

CHUNK_BYTES = 64 * 1024

LARGE = os.urandom(1 << 20) * 30
"""30 MiB: more than may go inline."""

MEMORY_BYTES = 24 * 1024 * 1024
"""That a daemon may grow by while such an object passes."""


class Peer:
    """A program that speaks the wire by itself, blocking."""

    def __init__(self, daemon: Daemon) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(BOUND_S)
        self.sock.connect(daemon.socket_path)
        self._file = self.sock.makefile("rb")
        self._last_id = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._file.close()
        self.sock.close()

    def ask(self, method: str, *fds: int, **params: Any) -> int:
        """Send a request; descriptors go beside it."""
        streams = [one["$stream"] for one in params.values() if _is_stream(one)]
        self._last_id += 1
        envelope = {
            "jsonrpc": "2.0",
            "id": self._last_id,
            "method": method,
            "params": params,
            "fds": len(fds),
            "streams": streams,
        }
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        self.sock.sendmsg([json.dumps(envelope).encode() + b"\n"], rights)
        return self._last_id

    def tell(self, method: str, data: bytes | None = None, **params: Any) -> None:
        """Send a notification, with bytes perhaps."""
        envelope: dict[str, Any] = {"jsonrpc": "2.0", "method": method, "params": params}
        if data is not None:
            envelope["bytes"] = [len(data)]
        self.sock.sendall(json.dumps(envelope).encode() + b"\n" + (data or b""))

    def message(self) -> tuple[dict[str, Any], bytes]:
        """The next that comes, and its bytes."""
        envelope: dict[str, Any] = json.loads(self._file.readline())
        return envelope, b"".join(self._file.read(size) for size in envelope.get("bytes", []))

    def answer(self) -> dict[str, Any]:
        """The next answer; what comes before it about streams is for nobody any more."""
        envelope, _data = self.message()
        while "method" in envelope:
            assert envelope["method"].startswith("stream."), envelope
            envelope, _data = self.message()
        return envelope

    def call(self, method: str, *fds: int, **params: Any) -> Any:
        """Ask and wait for the result."""
        self.ask(method, *fds, **params)
        answer = self.answer()
        assert "error" not in answer, answer
        return answer["result"]

    def error(self, method: str, *fds: int, **params: Any) -> Any:
        """Ask and wait for the error."""
        self.ask(method, *fds, **params)
        return self.answer()["error"]

    def send_stream(self, number: int, data: bytes) -> None:
        """Send a stream as fast as credit comes, to its end."""
        view, credit = memoryview(data), 0
        while view:
            while not credit:
                envelope, _data = self.message()
                assert envelope["method"] == "stream.credit", envelope
                credit += envelope["params"]["bytes"]
            size = min(len(view), credit, CHUNK_BYTES)
            self.tell("stream.data", bytes(view[:size]), stream=number)
            view, credit = view[size:], credit - size
        self.tell("stream.end", stream=number)

    def read_stream(self, number: int) -> Iterator[bytes]:
        """The pieces of a stream; each is credited."""
        while True:
            envelope, data = self.message()
            assert envelope["params"]["stream"] == number
            if envelope["method"] == "stream.end":
                assert "error" not in envelope["params"], envelope
                return
            yield data
            self.tell("stream.credit", stream=number, bytes=len(data))


def _is_stream(value: Any) -> bool:
    return isinstance(value, dict) and "$stream" in value


@pytest.fixture(scope="module")
def daemon(servers: Servers) -> Iterator[Daemon]:
    """A daemon on a server that speaks S3, with an empty bucket; it ends with what it had."""
    config = {"profile": {"default": {"endpoints": {"s3": servers.s3}}}}
    with running_daemon(config) as one:
        with one.connect() as connection:
            connection.call("s3.create_bucket", {"Bucket": "bodies"})
        yield one


@pytest.fixture(autouse=True)
def nothing_is_left(daemon: Daemon) -> Iterator[None]:
    """After each test the daemon has as many descriptors as before, and holds no bytes."""
    warm_up(daemon)
    before = fds_of(daemon)
    yield
    wait_until(lambda: len(fds_of(daemon)) <= len(before), daemon)
    with daemon.connect() as connection:
        status = connection.call("botod.status")
        assert status["jobs"]["running_num"] == 0
        assert status["pools"][0]["leased_num"] == 0


def warm_up(daemon: Daemon) -> None:
    """Have the connections to the server open that a test would otherwise open."""
    with daemon.connect() as connection:
        connection.call("s3.head_bucket", {"Bucket": "bodies"})
    wait_until(lambda: _peers_num(daemon) == 0, daemon)


def _peers_num(daemon: Daemon) -> int:
    """How many connections of peers a daemon has, by its descriptors."""
    paths = subprocess.run(
        ["ss", "-xHp", "src", daemon.socket_path], capture_output=True, text=True, check=False
    )
    return sum(" ESTAB " in line for line in paths.stdout.splitlines())


def fds_of(daemon: Daemon) -> list[str]:
    """What a daemon has open, by the kernel's word."""
    folder = Path(f"/proc/{daemon.process.pid}/fd")
    found = []
    for entry in folder.iterdir():
        with contextlib.suppress(OSError):
            found.append(str(entry.readlink()))
    return found


def rss_of(daemon: Daemon) -> int:
    """A daemon's memory, in bytes."""
    text = Path(f"/proc/{daemon.process.pid}/status").read_text(encoding="utf-8")
    (line,) = [line for line in text.splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1]) * 1024


def stored(daemon: Daemon, key: str) -> bytes:
    """An object as the service has it, read by a file."""
    fd = os.memfd_create("object")
    try:
        with Peer(daemon) as peer:
            peer.call("s3.get_object", fd, Bucket="bodies", Key=key, Body={"$fd": 0, "offset": 0})
        return os.pread(fd, os.fstat(fd).st_size, 0)
    finally:
        os.close(fd)


def there_is(daemon: Daemon, key: str) -> bool:
    """Whether the service has an object."""
    with Peer(daemon) as peer:
        peer.ask("s3.head_object", Bucket="bodies", Key=key)
        return "result" in peer.answer()


@contextlib.contextmanager
def file(path: Path, flags: int, content: bytes | None = None) -> Iterator[int]:
    """A descriptor for the length of a block."""
    if content is not None:
        path.write_bytes(content)
    fd = os.open(path, flags | os.O_CLOEXEC, 0o600)
    try:
        yield fd
    finally:
        os.close(fd)


def test_a_large_file_there_and_back(daemon: Daemon, tmp_path: Path) -> None:
    """30 MiB, of which the daemon never holds more than a part."""
    before = rss_of(daemon)
    with Peer(daemon) as peer:
        with file(tmp_path / "up", os.O_RDONLY, LARGE) as fd:
            peer.call("s3.put_object", fd, Bucket="bodies", Key="file", Body={"$fd": 0})
        with file(tmp_path / "down", os.O_WRONLY | os.O_CREAT) as fd:
            result = peer.call("s3.get_object", fd, Bucket="bodies", Key="file", Body={"$fd": 0})
    assert (tmp_path / "down").read_bytes() == LARGE
    assert result["ContentLength"] == len(LARGE)
    assert "Body" not in result
    assert rss_of(daemon) - before < MEMORY_BYTES
    daemon.wait_for_line(f"sent_bytes={len(LARGE)}")
    daemon.wait_for_line(f"received_bytes={len(LARGE)}")


def test_a_memfd_s_part(daemon: Daemon) -> None:
    """Exactly the bytes that were named."""
    fd = os.memfd_create("part")
    os.write(fd, b"abcdef")
    with Peer(daemon) as peer:
        body = {"$fd": 0, "offset": 2, "length": 3}
        peer.call("s3.put_object", fd, Bucket="bodies", Key="part", Body=body)
        assert stored(daemon, "part") == b"cde"
        body = {"$fd": 0, "offset": 1, "length": 3}
        peer.call("s3.get_object", fd, Bucket="bodies", Key="part", Body=body)
    assert os.pread(fd, 10, 0) == b"acdeef"
    os.close(fd)


@pytest.mark.parametrize("body", [{"$fd": 0}, {"$fd": 0, "length": len(LARGE)}])
def test_a_pipe_there(daemon: Daemon, body: Any) -> None:
    """Its length is said beside it, or by ContentLength."""
    reader, writer = os.pipe()
    thread = threading.Thread(target=_write_all, args=(writer, LARGE))
    thread.start()
    params = {} if "length" in body else {"ContentLength": len(LARGE)}
    before = rss_of(daemon)
    with Peer(daemon) as peer:
        peer.call("s3.put_object", reader, Bucket="bodies", Key="pipe", Body=body, **params)
    thread.join()
    os.close(reader)
    assert rss_of(daemon) - before < MEMORY_BYTES
    assert stored(daemon, "pipe") == LARGE


def test_a_pipe_back(daemon: Daemon) -> None:
    """As `aws s3 cp s3://… - | …` does."""
    put(daemon, "pipe-back", LARGE)
    reader, writer = os.pipe()
    with Peer(daemon) as peer:
        peer.ask("s3.get_object", writer, Bucket="bodies", Key="pipe-back", Body={"$fd": 0})
        os.close(writer)
        with os.fdopen(reader, "rb") as ours:
            assert ours.read() == LARGE
        assert peer.answer()["result"]["ContentLength"] == len(LARGE)


def _write_all(fd: int, data: bytes) -> None:
    with os.fdopen(fd, "wb") as ours:
        ours.write(data)


def put(daemon: Daemon, key: str, data: bytes) -> None:
    """Have the service store an object."""
    fd = os.memfd_create("object")
    try:
        _write_all(os.dup(fd), data)
        with Peer(daemon) as peer:
            body = {"$fd": 0, "offset": 0}
            peer.call("s3.put_object", fd, Bucket="bodies", Key=key, Body=body)
    finally:
        os.close(fd)


def test_a_pipe_whose_reader_goes_away(daemon: Daemon) -> None:
    """The kernel's word comes back; the daemon goes on."""
    put(daemon, "left", LARGE)
    reader, writer = os.pipe()
    with Peer(daemon) as peer:
        peer.ask("s3.get_object", writer, Bucket="bodies", Key="left", Body={"$fd": 0})
        os.close(writer)
        os.read(reader, 10)
        os.close(reader)
        error = peer.answer()["error"]
    assert (error["code"], error["data"]["errno"]) == (Code.DESCRIPTOR_FAILED, "EPIPE")


def test_a_file_that_only_grows(daemon: Daemon, tmp_path: Path) -> None:
    """The object comes behind what is there."""
    put(daemon, "grows", b"object")
    with Peer(daemon) as peer, file(tmp_path / "f", os.O_WRONLY | os.O_APPEND, b"head") as fd:
        peer.call("s3.get_object", fd, Bucket="bodies", Key="grows", Body={"$fd": 0})
        error = peer.error(
            "s3.get_object", fd, Bucket="bodies", Key="grows", Body={"$fd": 0, "offset": 0}
        )
        assert error["code"] == Code.INVALID_PARAMS
    assert (tmp_path / "f").read_bytes() == b"headobject"


def test_what_cannot_be_used(daemon: Daemon, tmp_path: Path) -> None:
    """Refused before anything is sent, by what it is."""
    put(daemon, "refused", b"object")
    with Peer(daemon) as peer:
        for fd, words in (
            (os.open("/dev/full", os.O_RDWR), "is a device"),
            (os.open(tmp_path, os.O_RDONLY), "is a directory"),
            (os.open(tmp_path / "f", os.O_RDONLY | os.O_CREAT), "is not open for writing"),
            (os.open(tmp_path / "f", os.O_PATH), "O_PATH"),
        ):
            error = peer.error("s3.get_object", fd, Bucket="bodies", Key="refused", Body={"$fd": 0})
            os.close(fd)
            assert error["code"] == Code.DESCRIPTOR_FAILED
            assert words in error["message"]
            assert error["data"]["attempts"] == 0


def test_an_object_that_is_longer_than_allowed(daemon: Daemon) -> None:
    """Nothing of it is written."""
    put(daemon, "long", b"object")
    fd = os.memfd_create("short")
    with Peer(daemon) as peer:
        error = peer.error(
            "s3.get_object", fd, Bucket="bodies", Key="long", Body={"$fd": 0, "length": 5}
        )
    assert error["code"] == Code.BODY_TOO_LARGE
    assert os.fstat(fd).st_size == 0
    os.close(fd)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")
def test_a_disk_that_is_full(daemon: Daemon, tmp_path: Path) -> None:
    """The kernel's word comes back."""
    put(daemon, "full", LARGE)
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(tmp_path)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        with Peer(daemon) as peer, file(tmp_path / "f", os.O_WRONLY | os.O_CREAT) as fd:
            error = peer.error("s3.get_object", fd, Bucket="bodies", Key="full", Body={"$fd": 0})
            wait_until(lambda: not any(str(tmp_path) in name for name in fds_of(daemon)), daemon)
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)
    assert (error["code"], error["data"]["errno"]) == (Code.DESCRIPTOR_FAILED, "ENOSPC")


def test_a_file_that_may_not_grow(daemon: Daemon, tmp_path: Path) -> None:
    """A limit of the daemon's own process ends the job, not the daemon."""
    put(daemon, "limit", LARGE)
    limit = resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE, (100_000, limit[1]))
    try:
        with Peer(daemon) as peer, file(tmp_path / "f", os.O_WRONLY | os.O_CREAT) as fd:
            error = peer.error("s3.get_object", fd, Bucket="bodies", Key="limit", Body={"$fd": 0})
    finally:
        resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE, limit)
    assert error["data"]["errno"] == "EFBIG"


def test_streams_there_and_back(daemon: Daemon) -> None:
    """30 MiB each way; the daemon holds some windows' worth."""
    before = rss_of(daemon)
    with Peer(daemon) as peer:
        peer.call("botod.hello", stream_credit_bytes=256 * 1024)
        body = {"$stream": 1}
        peer.ask(
            "s3.put_object", Bucket="bodies", Key="stream", Body=body, ContentLength=len(LARGE)
        )
        peer.send_stream(1, LARGE)
        assert "ETag" in peer.answer()["result"]
        result = peer.call("s3.get_object", Bucket="bodies", Key="stream")
        number = result["Body"]["$stream"]
        assert result["ContentLength"] == len(LARGE)
        assert b"".join(peer.read_stream(number)) == LARGE
    assert rss_of(daemon) - before < MEMORY_BYTES


def test_a_stream_without_a_length(daemon: Daemon) -> None:
    """What is small is held until its end."""
    with Peer(daemon) as peer:
        peer.ask("s3.put_object", Bucket="bodies", Key="untold", Body={"$stream": 1})
        peer.send_stream(1, b"x" * 300_000)
        assert "ETag" in peer.answer()["result"]
    assert stored(daemon, "untold") == b"x" * 300_000


@pytest.mark.parametrize("said", [len(LARGE) + 1, len(LARGE) - 1])
def test_a_stream_of_another_length_is_no_object(daemon: Daemon, said: int) -> None:
    """Neither cut nor whole."""
    key = f"length-{said}"
    with Peer(daemon) as peer:
        body = {"$stream": 1}
        peer.ask("s3.put_object", Bucket="bodies", Key=key, Body=body, ContentLength=said)
        peer.send_stream(1, LARGE)
        error = peer.answer()["error"]
    expected = Code.BODY_CUT_SHORT if said > len(LARGE) else Code.INVALID_PARAMS
    assert error["code"] == expected
    assert not there_is(daemon, key)


def test_a_stream_that_its_sender_breaks_off_is_no_object(daemon: Daemon) -> None:
    """What had come by then is not stored."""
    with Peer(daemon) as peer:
        peer.ask(
            "s3.put_object", Bucket="bodies", Key="broken", Body={"$stream": 1},
            ContentLength=len(LARGE),
        )  # fmt: skip
        peer.message()
        peer.tell("stream.data", LARGE[:CHUNK_BYTES], stream=1)
        peer.tell("stream.end", stream=1, error={"code": 1, "message": "the disk died"})
        error = peer.answer()["error"]
    assert error["code"] == Code.STREAM_BROKEN
    assert "the disk died" in error["message"]
    assert not there_is(daemon, "broken")


def test_a_reader_that_stops(daemon: Daemon) -> None:
    """By a word or by hanging up: the transfer is closed, which the fixture looks at."""
    put(daemon, "stops", LARGE)
    with Peer(daemon) as peer:
        peer.call("botod.hello", stream_credit_bytes=100_000)
        result = peer.call("s3.get_object", Bucket="bodies", Key="stops")
        peer.tell("stream.cancel", stream=result["Body"]["$stream"])
        wait_until(lambda: _running_num(daemon) == 0, daemon)
        peer.call("s3.get_object", Bucket="bodies", Key="stops")
    wait_until(lambda: _running_num(daemon) == 0, daemon)


def _running_num(daemon: Daemon) -> int:
    with daemon.connect() as connection:
        return int(connection.call("botod.status")["jobs"]["running_num"])


def test_a_writer_that_leaves_is_no_object(daemon: Daemon) -> None:
    """It hangs up in the middle of a stream."""
    with Peer(daemon) as peer:
        peer.ask(
            "s3.put_object", Bucket="bodies", Key="leaves", Body={"$stream": 1},
            ContentLength=len(LARGE),
        )  # fmt: skip
        peer.message()
        peer.tell("stream.data", LARGE[:CHUNK_BYTES], stream=1)
    wait_until(lambda: _running_num(daemon) == 0, daemon)
    assert not there_is(daemon, "leaves")


def test_what_is_too_large_for_a_peer_without_streams(daemon: Daemon) -> None:
    """It is told so."""
    put(daemon, "inline", LARGE)
    with Peer(daemon) as peer:
        error = peer.error("s3.get_object", Bucket="bodies", Key="inline")
    assert error["code"] == Code.BODY_TOO_LARGE
