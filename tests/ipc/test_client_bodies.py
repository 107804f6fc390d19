"""The blocking client's bodies, files, pages and batches, and what it survives."""

import contextlib
import gzip
import io
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from botod.ipc import ClientError, DaemonUnavailable, OutcomeUnknown, connect
from botod.ipc.errors import CLASSES, Code, MethodNotFound, error_from
from botod.ipc.paging import Pages, paging_of
from support.ipc import STEP_TIMEOUT_S, Daemon, bound, limits, strange_daemon
from support.pools import descriptors_num
from support.stores import Store

LARGE = bytes(range(256)) * 4 * 1024 * 3
"""3 MiB of every byte: some windows of a stream."""


# Bodies


def test_large_bodies_are_streams(path: Path) -> None:
    """Every byte comes; read in parts, to the end, and by other readers."""
    with Daemon(path, store := Store()), connect(str(path)) as connection:
        store.objects["k"] = LARGE
        s3 = connection.client("s3")
        assert s3.get_object(Key="k")["Body"].read() == LARGE
        body = s3.get_object(Key="k")["Body"]
        assert body.read(5) == LARGE[:5]
        assert body.tell() == 5
        assert b"".join(body.iter_chunks(70_000)) == LARGE[5:]
        assert body.read() == b""
        assert b"".join(s3.get_object(Key="k")["Body"]) == LARGE
        assert io.BufferedReader(s3.get_object(Key="k")["Body"]).read() == LARGE
        assert connection.call("s3.get_object", {"Key": "k"})["Body"] == LARGE


def test_lines_of_a_body(path: Path) -> None:
    """As boto3 cuts them, with and without their ends."""
    with Daemon(path, store := Store()), connect(str(path)) as connection:
        store.objects["k"] = b"a\r\nbb\n\nc"
        s3 = connection.client("s3")
        assert list(s3.get_object(Key="k")["Body"].iter_lines(2)) == [b"a", b"bb", b"", b"c"]
        kept = s3.get_object(Key="k")["Body"].iter_lines(3, keepends=True)
        assert list(kept) == [b"a\r\n", b"bb\n", b"\n", b"c"]


def test_an_unread_body_holds_up_nobody(path: Path) -> None:
    """It has a connection of its own, which closing it ends."""
    with Daemon(path, store := Store()), connect(str(path)) as connection:
        store.objects["k"] = LARGE
        s3 = connection.client("s3")
        before = descriptors_num()
        with s3.get_object(Key="k")["Body"] as unread:
            assert s3.get_object(Key="k")["Body"].read() == LARGE
            assert unread.read(1) == LARGE[:1]
        with pytest.raises(ValueError, match="closed"):
            unread.read()
        assert s3.echo(N=1) == {"N": 1}
        assert descriptors_num() <= before + 2  # one more connection, both its ends


def test_what_a_body_may_come_from(path: Path, tmp_path: Path) -> None:
    """Plain files go by descriptor from where they stand; what only looks like one does not."""
    (tmp_path / "f").write_bytes(b"skipped" + LARGE)
    with gzip.open(tmp_path / "z", "wb") as packed:
        packed.write(LARGE)
    with Daemon(path, store := Store()), connect(str(path)) as connection:
        s3 = connection.client("s3")
        with (tmp_path / "f").open("rb") as file, gzip.open(tmp_path / "z", "rb") as unpacked:
            file.seek(7)
            sources: list[Any] = [file, unpacked, io.BytesIO(LARGE), iter([LARGE[:9], LARGE[9:]])]
            for body in sources:
                s3.put_object(Key="k", Body=body)
                assert store.objects.pop("k") == LARGE
    assert store.ways == ["Descriptor", *["IncomingStream"] * 3]


def test_a_pipe_as_a_body(path: Path) -> None:
    """It is read here, and sent as it comes."""
    reader, writer = os.pipe()
    thread = threading.Thread(target=write_all, args=(writer, b"x" * 50_000))
    thread.start()
    with (
        Daemon(path, store := Store()),
        connect(str(path)) as connection,
        os.fdopen(reader, "rb") as end,
    ):
        connection.client("s3").put_object(Key="k", Body=end)
        thread.join(STEP_TIMEOUT_S)
        assert store.objects["k"] == b"x" * 50_000


def write_all(fd: int, data: bytes) -> None:
    """Write into a pipe, and close it."""
    with os.fdopen(fd, "wb") as end:
        end.write(data)


def test_a_text_file_is_no_body(path: Path) -> None:
    """Its encoding would be a guess."""
    with Daemon(path, Store()), connect(str(path)) as connection:
        with pytest.raises(TypeError, match="mode 'rb'"):
            connection.client("s3").put_object(Key="k", Body=io.StringIO("text"))
        assert connection.call("s3.echo") == {}


def test_a_source_that_fails(path: Path) -> None:
    """Its error is what is raised; nothing is stored, and the next request works."""

    def source() -> Iterator[bytes]:
        yield b"x" * 100
        raise OSError("the disk died")

    with Daemon(path, store := Store()), connect(str(path)) as connection:
        s3 = connection.client("s3")
        with pytest.raises(OSError, match="the disk died"):
            s3.put_object(Key="k", Body=source())
        assert s3.echo(N=1) == {"N": 1}
        assert not store.objects


# Files


def test_files_and_their_progress(path: Path, tmp_path: Path) -> None:
    """By descriptor; what is told adds up to the size."""
    (tmp_path / "up").write_bytes(LARGE)
    told: list[int] = []
    with Daemon(path, Store()), connect(str(path)) as connection:
        s3 = connection.client("s3")
        s3.upload_file(tmp_path / "up", "b", "k", Callback=told.append)
        assert sum(told) == len(LARGE)
        s3.download_file("b", "k", str(tmp_path / "down"), Callback=told.append)
        assert sum(told) == 2 * len(LARGE)
        memory = io.BytesIO()
        s3.download_fileobj("b", "k", memory, Callback=told.append)
        assert sum(told) == 3 * len(LARGE)
    assert (tmp_path / "down").read_bytes() == memory.getvalue() == LARGE


def test_a_download_where_a_file_stands(path: Path, tmp_path: Path) -> None:
    """Behind what is there, and the file stands at the object's end then."""
    with Daemon(path, store := Store()), connect(str(path)) as connection:
        store.objects["k"] = b"object"
        with (tmp_path / "f").open("w+b") as file:
            file.write(b"head ")
            connection.client("s3").download_fileobj("b", "k", file)
            file.write(b" tail")
    assert (tmp_path / "f").read_bytes() == b"head object tail"


def test_a_download_that_fails_leaves_what_was(path: Path, tmp_path: Path) -> None:
    """The file is the old one, and no part of the new one lies beside it."""
    (tmp_path / "f").write_bytes(b"old")
    with Daemon(path, Store()), connect(str(path)) as connection:
        s3 = connection.client("s3")
        with pytest.raises(s3.exceptions.NoSuchKey):
            s3.download_file("b", "none", tmp_path / "f")
        with pytest.raises(IsADirectoryError):
            s3.download_file("b", "none", tmp_path)
    assert sorted(one.name for one in tmp_path.iterdir() if one.name != "s") == ["f"]
    assert (tmp_path / "f").read_bytes() == b"old"


def test_what_is_no_regular_file_is_written_to(path: Path) -> None:
    """A device is not replaced by a file."""
    with Daemon(path, store := Store()), connect(str(path)) as connection:
        store.objects["k"] = LARGE
        connection.client("s3").download_file("b", "k", "/dev/null")
    assert Path("/dev/null").is_char_device()


# Batches, pages, errors, options


def test_a_batch(path: Path) -> None:
    """Results and errors, in order; bytes both ways; more than one line holds."""
    with (
        Daemon(path, Store(), limits(in_flight_per_peer=256)),
        connect(str(path)) as connection,
    ):
        calls: list[Any] = [("s3.echo", {"N": number, "B": b"\xff"}) for number in range(130)]
        calls += [
            ("s3.none", {}),
            ("s3.echo", {"T": "x" * 600_000}),
            ("s3.echo", {"T": "y" * 600_000}),
        ]
        outcomes = connection.batch(calls)
        assert outcomes[:130] == [params for _method, params in calls[:130]]
        assert isinstance(outcomes[130], MethodNotFound)
        assert [len(one["T"]) for one in outcomes[131:]] == [600_000] * 2
        assert connection.batch([]) == []


def test_pages_until_there_are_no_more() -> None:
    """Each asks with the token of the one before; MaxItems cuts; a token twice is an error."""
    pages = Pages(
        paging_of("s3", "list_objects_v2"), {"Bucket": "b"}, {"PageSize": 2, "MaxItems": 3}
    )
    assert pages.params == {"Bucket": "b", "MaxKeys": 2}
    pages.took({"Contents": [1, 2], "NextContinuationToken": "t"})
    assert pages.params == {"Bucket": "b", "MaxKeys": 2, "ContinuationToken": "t"}
    assert pages.took({"Contents": [3, 4], "NextContinuationToken": "u"})["Contents"] == [3]
    assert pages.params is None
    again = Pages(paging_of("sqs", "list_queues"), {"NextToken": "t"}, None)
    with pytest.raises(ValueError, match="came twice"):
        again.took({"NextToken": "t"})
    with pytest.raises(ValueError, match="PaginationConfig"):
        Pages(paging_of("sqs", "list_queues"), {}, {"Limit": 1})


def test_each_code_has_its_exception() -> None:
    """By the table, and services' errors by their names as in boto3."""
    assert set(CLASSES) == set(Code)
    for code, kind in CLASSES.items():
        assert type(error_from(code, "words", {})) is kind
    gone = error_from(Code.SERVICE_ERROR, "", {"type": "AWS.SimpleQueueService.NonExistentQueue"})
    assert isinstance(gone, ClientError)
    assert type(gone).__name__ == "QueueDoesNotExist"


def test_options_are_the_clients_or_the_calls(path: Path) -> None:
    """Later ones count; one that there is not is an error."""
    with Daemon(path, store := Store()), connect(str(path), timeout_s=9) as connection:
        s3 = connection.client("s3", profile="p", priority=1)
        s3.with_options(priority=2, idempotency_key="k").echo()
        assert store.requests[0].options == {
            "timeout_s": 9, "profile": "p", "priority": 2, "idempotency_key": "k",
        }  # fmt: skip
        with pytest.raises(TypeError, match="unknown option 'colour'"):
            connection.client("s3", colour="red")  # type: ignore[call-arg]


# Daemons that go away


def test_a_daemon_that_is_started_again(path: Path) -> None:
    """Requests go to the new one, over idle connections to the old one too."""
    with Daemon(path, Store()) as first:
        connection = connect(str(path))
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda number: connection.call("s3.echo", {"N": number}), range(8)))
        first.stop()
    path.unlink()
    with Daemon(path, store := Store()):
        for number in range(3):
            assert connection.call("s3.echo", {"N": number}) == {"N": number}
        assert len(store.requests) == 3
        connection.close()


def test_a_daemon_that_comes_later(path: Path) -> None:
    """With wait_s one waits for it; without, its absence is an error at once."""
    with pytest.raises(DaemonUnavailable):
        connect(str(path))
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(connect, str(path), wait_s=STEP_TIMEOUT_S)
        with Daemon(path, Store()), waiting.result(STEP_TIMEOUT_S) as connection:
            assert connection.call("s3.echo") == {}


def test_what_was_not_read_is_sent_again(path: Path) -> None:
    """The kernel tells when bytes were thrown away unread; what is read may have been done."""
    listener = bound(path)
    listener.listen()
    connection = connect(str(path))
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(connection.call, "s3.echo", {"N": 1})
        first, _address = listener.accept()
        first.recv(10)
        first.close()
        second, _address = listener.accept()
        with second:
            assert b'"N":1' in second.recv(65536)
            second.sendall(b'{"jsonrpc":"2.0","id":1,"result":"done"}\n')
            assert asked.result(STEP_TIMEOUT_S) == "done"
    connection.close()
    listener.close()


def test_a_daemon_that_stops_says_so(path: Path) -> None:
    """Its refusal means that nothing was done; with nobody else there, that is what is raised."""
    said = b'{"jsonrpc":"2.0","id":1,"error":{"code":-32006,"message":"stopping"}}\n'
    listener = bound(path)
    listener.listen()
    connection = connect(str(path))
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(connection.call, "s3.echo", {})
        sock, _address = listener.accept()
        with contextlib.closing(sock):
            sock.recv(65536)
            listener.close()
            path.unlink()
            sock.sendall(said)
            with pytest.raises(DaemonUnavailable) as caught:
                asked.result(STEP_TIMEOUT_S)
    assert not isinstance(caught.value, OutcomeUnknown)


def test_a_daemon_that_dies_in_the_middle_of_a_body(path: Path) -> None:
    """What came is not taken for the whole."""
    said = (
        b'{"jsonrpc":"2.0","id":1,"result":{"Body":{"$stream":1}},"streams":[1]}\n'
        b'{"jsonrpc":"2.0","method":"stream.data","params":{"stream":1},"bytes":[3]}\nabc'
    )

    def converse(sock: Any) -> None:
        sock.recv(65536)
        sock.sendall(said)

    with strange_daemon(path, converse), connect(str(path)) as connection:
        body = connection.client("s3").get_object(Key="k")["Body"]
        assert body.read(3) == b"abc"
        with pytest.raises(DaemonUnavailable, match="not whole"):
            body.read()
