"""Large objects through a daemon, to and from a server that speaks S3: whole, or not there at all.

Between the two is a door that a test can stop at: requests of a kind wait there until it says so.
"""

import contextlib
import http.client
import io
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import botocore.config
import pytest

from botod.ipc import Code, RpcError, connect
from support.daemons import BOUND_S, KEYS, Daemon, running_daemon, short_folder, start, wait_until
from support.http_server import Exchange, HttpServer, http_server
from support.s3_server import name_of
from support.servers import Servers

BUCKET = "large"
LARGE = os.urandom(1 << 20) * 30
"""Four parts."""

EXPECTED = ("a visit of", "parts may be left")


class Door:
    """Passes requests on to another server; those of one kind wait before it, or behind it.

    stop_at: which kind, as `name_of` calls them. is_behind: it is passed on first. is_dead: nobody
    is answered any more.
    """

    def __init__(self, url: str) -> None:
        self.stop_at = ""
        self.is_behind = False
        self.is_dead = False
        self.arrived = threading.Event()
        self.go = threading.Event()
        self._netloc = urlsplit(url).netloc

    def __call__(self, exchange: Exchange) -> None:
        is_stopped = name_of(exchange) == self.stop_at and not self.go.is_set()
        if is_stopped and not self.is_behind:
            self._wait()
        if self.is_dead:
            exchange.cut()
            return
        status, headers, body = self._passed(exchange)
        if is_stopped and self.is_behind:
            self._wait()
            if self.is_dead:
                exchange.cut()
                return
        lines = [f"HTTP/1.1 {status} .", *headers, f"Content-Length: {len(body)}", "", ""]
        if exchange.method == "HEAD":
            lines[-3:] = ["", ""]
        exchange.send("\r\n".join(lines).encode() + (b"" if exchange.method == "HEAD" else body))

    def _wait(self) -> None:
        self.arrived.set()
        assert self.go.wait(BOUND_S)

    def _passed(self, exchange: Exchange) -> tuple[int, list[str], bytes]:
        connection = http.client.HTTPConnection(self._netloc, timeout=BOUND_S)
        headers = {k: v for k, v in exchange.headers.items() if k not in {"expect", "host"}}
        headers["host"] = exchange.headers["host"]
        connection.request(exchange.method, exchange.target, exchange.body, headers)
        response = connection.getresponse()
        body = response.read()
        dropped = {"transfer-encoding", "connection"}
        if exchange.method != "HEAD":
            dropped.add("content-length")
        kept = [f"{k}: {v}" for k, v in response.getheaders() if k.lower() not in dropped]
        connection.close()
        return response.status, kept, body


@pytest.fixture
def door(servers: Servers) -> Iterator[tuple[Door, HttpServer]]:
    """The door, in front of moto, and where it is."""
    one = Door(servers.s3)
    with http_server(one) as server:
        try:
            yield one, server
        finally:
            one.go.set()


@pytest.fixture
def s3(servers: Servers) -> Iterator[Any]:
    """boto3, straight to moto; the bucket is empty again at the end."""
    client = boto3.client(
        "s3",
        endpoint_url=servers.s3,
        region_name="us-east-1",
        aws_access_key_id=KEYS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"],
        config=botocore.config.Config(s3={"addressing_style": "path"}),
    )
    client.create_bucket(Bucket=BUCKET)
    yield client
    for one in client.list_objects_v2(Bucket=BUCKET).get("Contents", []):
        client.delete_object(Bucket=BUCKET, Key=one["Key"])
    client.delete_bucket(Bucket=BUCKET)


def open_uploads(s3: Any) -> list[Any]:
    """What S3 has of uploads that came to nothing."""
    found: list[Any] = s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])
    return found


def abort_created(s3: Any, stage: str) -> None:
    """Nothing is left, but where it was begun an upload without parts: nobody heard its id."""
    assert orphan_parts(s3) == 0
    left = open_uploads(s3)
    assert len(left) == (stage == "create")
    for one in left:
        s3.abort_multipart_upload(Bucket=BUCKET, Key="k", UploadId=one["UploadId"])


def orphan_parts(s3: Any) -> int:
    """How many parts S3 keeps for uploads that came to nothing."""
    ids = [one["UploadId"] for one in open_uploads(s3)]
    answers = [s3.list_parts(Bucket=BUCKET, Key="k", UploadId=one) for one in ids]
    return sum(len(answer.get("Parts", [])) for answer in answers)


def stored(s3: Any) -> bytes | None:
    """The object, as S3 has it."""
    try:
        body: bytes = s3.get_object(Bucket=BUCKET, Key="k")["Body"].read()
    except s3.exceptions.NoSuchKey:
        return None
    return body


def config(url: str, state: Path | None = None, **more: Any) -> dict[str, Any]:
    """A daemon's, for one server of S3's."""
    daemon = more | ({"state_dir": str(state)} if state else {})
    return {"daemon": daemon, "profile": {"default": {"endpoints": {"s3": url}}}}


def url_of(server: HttpServer) -> str:
    """Where the door is."""
    return f"http://127.0.0.1:{server.port}"


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A file of some parts."""
    (tmp_path / "up").write_bytes(LARGE)
    return tmp_path / "up"


def test_the_client_moves_files_of_any_size(servers: Servers, s3: Any, large: Path) -> None:
    """Up from a file, a pipe and a generator of unknown length; down into a file and a stream."""
    with running_daemon(config(servers.s3)) as daemon, daemon.connect() as connection:
        client = connection.client("s3")
        told: list[int] = []
        client.upload_file(large, BUCKET, "k", Callback=told.append)
        assert (sum(told), stored(s3)) == (len(LARGE), LARGE)
        assert s3.head_object(Bucket=BUCKET, Key="k")["ETag"].endswith('-4"')
        client.download_file(BUCKET, "k", large.parent / "down", Callback=told.append)
        assert (large.parent / "down").read_bytes() == LARGE
        assert sum(told) == 2 * len(LARGE)
        memory = io.BytesIO()
        client.download_fileobj(BUCKET, "k", memory)
        assert memory.getvalue() == LARGE
        pieces = (LARGE[at : at + 100_000] for at in range(0, len(LARGE), 100_000))
        client.upload_fileobj(pieces, BUCKET, "k", ExtraArgs={"ContentType": "x/y"})
        assert (stored(s3), s3.head_object(Bucket=BUCKET, Key="k")["ContentType"]) == (LARGE, "x/y")
        out, into = os.pipe()
        writer = threading.Thread(target=_write, args=(into, LARGE[::-1]), daemon=True)
        writer.start()
        with os.fdopen(out, "rb") as pipe:
            client.upload_fileobj(pipe, BUCKET, "k")
        assert stored(s3) == LARGE[::-1]
        assert not open_uploads(s3)


def _write(into: int, data: bytes) -> None:
    with contextlib.suppress(BrokenPipeError), os.fdopen(into, "wb") as file:
        file.write(data)


STAGES = [
    ("create", True), ("part", False), ("part", True), ("complete", False), ("complete", True)
]  # fmt: skip
COMPLETED = STAGES[-1]


@pytest.mark.parametrize(("name", "is_behind"), STAGES)
def test_a_peer_that_dies_leaves_nothing(
    name: str, is_behind: bool, door: tuple[Door, HttpServer], s3: Any, large: Path
) -> None:
    """Wherever its upload was; also one whose id had not come yet."""
    one, server = door
    one.stop_at, one.is_behind = name, is_behind
    with running_daemon(
        config(url_of(server), large.parent / "state"), expected=EXPECTED
    ) as daemon:
        child = os.fork()
        if child == 0:
            with contextlib.suppress(BaseException):
                connect(daemon.socket_path).client("s3").upload_file(str(large), BUCKET, "k")
            os._exit(0)
        assert one.arrived.wait(BOUND_S)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        daemon.wait_for_line("s3.upload_file")
        one.go.set()
        wait_until(lambda: not open_uploads(s3), daemon)
        assert stored(s3) in ((LARGE,) if (name, is_behind) == COMPLETED else (None, LARGE))
        wait_until(lambda: not list((large.parent / "state").glob("uploads/*/*.json")), daemon)


@pytest.mark.parametrize(("name", "is_behind"), STAGES)
def test_a_daemon_that_dies_leaves_what_the_next_one_aborts(
    name: str, is_behind: bool, door: tuple[Door, HttpServer], s3: Any, large: Path
) -> None:
    """Killed at any stage: there is a whole object or none, and no part after the next start."""
    one, server = door
    one.stop_at, one.is_behind = name, is_behind
    settings = config(url_of(server), large.parent / "state")
    with short_folder() as folder:
        first = start(settings, folder)
        first.wait_for_line("listening")
        uploading = threading.Thread(target=_upload, args=(first, large), daemon=True)
        uploading.start()
        assert one.arrived.wait(BOUND_S)
        first.signal(signal.SIGKILL)
        first.wait()
        uploading.join(BOUND_S)
        one.go.set()
        assert first.process.stderr is not None
        first.process.stderr.close()
    if (name, is_behind) != COMPLETED:
        assert len(open_uploads(s3)) == 1 or stored(s3) == LARGE
    with running_daemon(settings) as second:
        if name != "create":
            second.wait_for_line("aborted the upload")
        # What was the first's is looked through, and gone.
        wait_until(lambda: len(list((large.parent / "state" / "uploads").iterdir())) == 1, second)
    assert stored(s3) in ((LARGE,) if (name, is_behind) == COMPLETED else (None, LARGE))
    abort_created(s3, name)


def _upload(daemon: Daemon, path: Path) -> None:
    with contextlib.suppress(Exception), daemon.connect() as connection:
        connection.client("s3").upload_file(path, BUCKET, "k")


def test_another_daemon_s_start_leaves_an_upload_alone(
    door: tuple[Door, HttpServer], s3: Any, large: Path
) -> None:
    """Workers share the directory; what one of them has under way is its own."""
    one, server = door
    one.stop_at = "complete"
    settings = config(url_of(server), large.parent / "state")
    with running_daemon(settings) as first:
        uploading = threading.Thread(target=_upload, args=(first, large), daemon=True)
        uploading.start()
        assert one.arrived.wait(BOUND_S)
        with running_daemon(settings) as second:
            assert second.stop() == 0
        one.go.set()
        uploading.join(BOUND_S)
        assert stored(s3) == LARGE


def test_a_stopped_daemon_tidies_up(door: tuple[Door, HttpServer], s3: Any, large: Path) -> None:
    """SIGTERM: what does not end in time is ended, and aborted before the daemon goes."""
    one, server = door
    one.stop_at = "complete"
    settings = config(url_of(server), large.parent / "state", drain_timeout_s=0.2)
    with running_daemon(settings) as daemon:
        uploading = threading.Thread(target=_upload, args=(daemon, large), daemon=True)
        uploading.start()
        assert one.arrived.wait(BOUND_S)
        assert daemon.stop() == 0
        uploading.join(BOUND_S)
        assert not open_uploads(s3)
        assert stored(s3) is None
        assert list((large.parent / "state" / "uploads").iterdir()) == []


def test_a_server_that_dies_is_an_error(
    door: tuple[Door, HttpServer], s3: Any, large: Path
) -> None:
    """A clear one, and nothing under that key."""
    one, server = door
    one.stop_at = "part"
    with running_daemon(config(url_of(server)), expected=EXPECTED) as daemon:
        failed: list[Exception] = []

        def upload() -> None:
            try:
                with daemon.connect() as connection:
                    connection.client("s3").upload_file(large, BUCKET, "k")
            except RpcError as error:
                failed.append(error)

        uploading = threading.Thread(target=upload, daemon=True)
        uploading.start()
        assert one.arrived.wait(BOUND_S)
        one.is_dead = True
        one.go.set()
        uploading.join(BOUND_S)
        (error,) = failed
        assert isinstance(error, RpcError)
        assert error.code == Code.UNREACHABLE
    assert stored(s3) is None
    (left,) = open_uploads(s3)
    s3.abort_multipart_upload(Bucket=BUCKET, Key="k", UploadId=left["UploadId"])


@pytest.mark.long
@pytest.mark.parametrize(("name", "is_behind"), STAGES)
def test_a_server_that_dies_leaves_what_the_next_start_aborts(
    name: str, is_behind: bool, door: tuple[Door, HttpServer], s3: Any, large: Path
) -> None:
    """Wherever the upload was: once the server is back, there is a whole object or none."""
    one, server = door
    one.stop_at, one.is_behind = name, is_behind
    settings = config(url_of(server), large.parent / "state")
    with running_daemon(settings, expected=EXPECTED) as first:
        uploading = threading.Thread(target=_upload, args=(first, large), daemon=True)
        uploading.start()
        assert one.arrived.wait(BOUND_S)
        one.is_dead = True
        one.go.set()
        first.wait_for_line("job s3.upload_file ")
        uploading.join(BOUND_S)
        assert first.stop() == 0
    if name == "part":
        assert len(open_uploads(s3)) == 1
    one.is_dead = False
    with running_daemon(settings) as second:
        if name != "create":
            second.wait_for_line("aborted the upload")
        wait_until(lambda: not list((large.parent / "state").glob("uploads/*/*.json")), second)
    assert stored(s3) == (LARGE if (name, is_behind) == COMPLETED else None)
    abort_created(s3, name)
