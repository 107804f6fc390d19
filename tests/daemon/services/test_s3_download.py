"""Downloads in parts: what is in the file, whatever happens on the way."""

import asyncio
import base64
import os
import threading
import zlib
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from botod.daemon.services.s3_download import ONE_REQUEST_BYTES, PART_BYTES
from botod.ipc.descriptors import Descriptor
from botod.ipc.errors import Code
from support.http_server import Exchange
from support.loops import BOUND_S
from support.rigs import ON_KEY, Rig, rig
from support.s3_server import S3, name_of

PATH = "/photos/cat.jpg"
LARGE = os.urandom(1 << 20) * 20 + b"the end"
"""Three parts."""


def with_s3(test: Callable[[Rig, S3], Coroutine[Any, Any, None]], **options: Any) -> None:
    """Run a test against a server that has an object."""
    s3 = S3()
    s3.put(PATH, LARGE)

    async def main() -> None:
        async with rig(s3, **options) as one:
            await test(one, s3)

    asyncio.run(asyncio.wait_for(main(), BOUND_S))


def into(path: Path, flags: int = 0, **where: Any) -> Descriptor:
    """A file to write to; whoever gets it closes it."""
    return Descriptor(os.open(path, os.O_WRONLY | os.O_CREAT | flags, 0o600), **where)


def is_part(exchange: Exchange) -> bool:
    """Whether a request asks for a part."""
    return name_of(exchange) == "get" and "range" in exchange.headers


def first_of(span: str) -> int:
    """Where a Range begins."""
    return int(span.removeprefix("bytes=").partition("-")[0])


def crc32(data: bytes) -> str:
    """As S3 writes it."""
    return base64.b64encode(zlib.crc32(data).to_bytes(4)).decode()


@pytest.mark.parametrize(
    "size", [0, 1, ONE_REQUEST_BYTES, ONE_REQUEST_BYTES + 1, 3 * PART_BYTES, len(LARGE)]
)
def test_a_file_gets_all_of_it(size: int, tmp_path: Path) -> None:
    """By one request up to some size, else in parts that are written where they belong."""

    async def test(one: Rig, s3: S3) -> None:
        content = (LARGE * 2)[:size]
        s3.put(PATH, content, "x-amz-meta-a: b")
        result = await one.call("s3.download_file", ON_KEY | {"Body": into(tmp_path / "f")})
        assert (tmp_path / "f").read_bytes() == content
        assert result["ContentLength"] == size
        assert (result["ETag"], result["Metadata"]) == (s3.etags[PATH], {"a": "b"})
        assert "Body" not in result
        parts = 0 if size <= ONE_REQUEST_BYTES else -(-size // PART_BYTES)
        assert len(s3.log) == 1 + parts

    with_s3(test)


def test_it_begins_where_the_marker_says(tmp_path: Path) -> None:
    """What is before and behind stays."""

    async def test(one: Rig, s3: S3) -> None:
        (tmp_path / "f").write_bytes(b"x" * (len(LARGE) + 10))
        await one.call("s3.download_file", ON_KEY | {"Body": into(tmp_path / "f", offset=5)})
        assert (tmp_path / "f").read_bytes() == b"xxxxx" + LARGE + b"xxxxx"

    with_s3(test)


def test_a_file_that_only_grows_is_written_in_order(tmp_path: Path) -> None:
    """O_APPEND: one request, whatever the size."""

    async def test(one: Rig, s3: S3) -> None:
        (tmp_path / "f").write_bytes(b"before")
        await one.call("s3.download_file", ON_KEY | {"Body": into(tmp_path / "f", os.O_APPEND)})
        assert (tmp_path / "f").read_bytes() == b"before" + LARGE
        assert s3.log == ["get"]

    with_s3(test)


def test_a_pipe_is_written_in_order() -> None:
    """One request, whatever the size."""
    read: list[bytes] = []

    async def test(one: Rig, s3: S3) -> None:
        out, end = os.pipe()

        def drain() -> None:
            with os.fdopen(out, "rb") as file:
                read.append(file.read())

        reader = threading.Thread(target=drain, daemon=True)
        reader.start()
        peer = one.ask("s3.download_file", ON_KEY | {"Body": Descriptor(end)})
        await peer.result()
        await asyncio.to_thread(reader.join, BOUND_S)
        assert (read, s3.log) == ([LARGE], ["get"])

    with_s3(test)


def test_without_a_descriptor_it_is_get_object() -> None:
    """A peer that reads streams gets one."""

    async def test(one: Rig, s3: S3) -> None:
        peer = one.ask("s3.download_file", ON_KEY, credit_bytes=1 << 30)
        await peer.ended()
        assert (bytes(peer.received), s3.log) == (LARGE, ["get"])

    with_s3(test)


def test_one_slot_is_enough(tmp_path: Path) -> None:
    """The job holds none while its parts wait for theirs."""

    async def test(one: Rig, s3: S3) -> None:
        await one.call("s3.download_file", ON_KEY | {"Body": into(tmp_path / "f")})
        assert (tmp_path / "f").read_bytes() == LARGE

    with_s3(test, slots=1)


def test_a_part_that_breaks_off_goes_on_where_it_was(tmp_path: Path, quick_retries: None) -> None:
    """What came is not asked for again."""
    ranges: list[str] = []

    async def test(one: Rig, s3: S3) -> None:
        def cut_short(exchange: Exchange) -> bool:
            if not is_part(exchange):
                return False
            ranges.append(exchange.headers["range"])
            if len(ranges) > 1:
                return False
            begin = first_of(ranges[0])
            where = f"Content-Range: {ranges[0].replace('=', ' ')}/{len(LARGE)}"
            lines = [f"Content-Length: {PART_BYTES}", f"ETag: {s3.etags[PATH]}", where, "", ""]
            exchange.send("\r\n".join(["HTTP/1.1 206 Partial", *lines]).encode())
            exchange.send(LARGE[begin : begin + 3_000_000])
            exchange.cut()
            return True

        s3.rules.append(cut_short)
        peer = one.ask("s3.download_file", ON_KEY | {"Body": into(tmp_path / "f")})
        await peer.result()
        assert (tmp_path / "f").read_bytes() == LARGE
        begin = first_of(ranges[0])
        again = next(at for at in map(first_of, ranges) if begin < at < begin + PART_BYTES)
        assert again - begin in range(1_000_000, 3_000_001)

    with_s3(test, retries=3)


def test_a_small_one_that_breaks_off_goes_on_too(tmp_path: Path, quick_retries: None) -> None:
    """By its ETag, from where it was; its checksum is over both halves."""

    async def test(one: Rig, s3: S3) -> None:
        content = LARGE[:5_000_000]
        s3.put(PATH, content, f"x-amz-checksum-crc32: {crc32(content)}")

        def cut_short(exchange: Exchange) -> None:
            lines = ["HTTP/1.1 200 OK", "Content-Length: 5000000", f"ETag: {s3.etags[PATH]}"]
            more = [f"x-amz-checksum-crc32: {crc32(content)}", "", ""]
            exchange.send("\r\n".join([*lines, *more]).encode() + content[:4_000_000])
            exchange.cut()

        s3.once("get", cut_short)
        await one.call("s3.download_file", ON_KEY | {"Body": into(tmp_path / "f")})
        assert (tmp_path / "f").read_bytes() == content
        _first, again = one.server.requests
        assert first_of(again.headers["range"]) in range(1_000_000, 4_000_001)
        assert again.headers["if-match"] == s3.etags[PATH]

    with_s3(test, retries=3)


@pytest.mark.parametrize("how", ["412", "ignored"])
def test_an_object_that_is_replaced_meanwhile_is_an_error(how: str, tmp_path: Path) -> None:
    """Not a mix of two, whether the server minds If-Match or not."""

    async def test(one: Rig, s3: S3) -> None:
        def replace(exchange: Exchange) -> bool:
            if is_part(exchange):
                s3.put(PATH, LARGE[::-1])
                if how == "ignored":
                    exchange.head = exchange.head.replace(b"If-Match", b"If-Forgotten")
            return False

        s3.rules.append(replace)
        failed = await one.error("s3.download_file", ON_KEY | {"Body": into(tmp_path / "f")})
        assert (failed.code, failed.data["type"]) == (Code.BAD_ANSWER, "ObjectChanged")
        assert failed.data["retryable"] is True
        assert "replaced" in failed.message

    with_s3(test)


@pytest.mark.parametrize(
    ("status", "content_range"),
    [
        ("200 OK", ""),
        ("206 Partial Content", ""),
        ("206 Partial Content", f"Content-Range: bytes 1-2/{len(LARGE)}"),
        ("206 Partial Content", f"Content-Range: bytes 0-{PART_BYTES - 1}/7"),
    ],
)
def test_a_part_that_is_another_one_is_an_error(
    status: str, content_range: str, tmp_path: Path
) -> None:
    """It would be written where it does not belong."""

    async def test(one: Rig, s3: S3) -> None:
        def answer(exchange: Exchange) -> bool:
            if not is_part(exchange):
                return False
            headers = [f"ETag: {s3.etags[PATH]}", *filter(None, [content_range])]
            exchange.ok(b"x" * PART_BYTES, *headers, status=status)
            return True

        s3.rules.append(answer)
        failed = await one.error("s3.download_file", ON_KEY | {"Body": into(tmp_path / "f")})
        assert failed.code == Code.BAD_ANSWER

    with_s3(test)


@pytest.mark.parametrize("is_right", [True, False])
@pytest.mark.parametrize("size", [1000, len(LARGE)])
def test_the_whole_is_compared_with_its_checksum(size: int, is_right: bool, tmp_path: Path) -> None:
    """In parts too: that of the whole follows from theirs."""

    async def test(one: Rig, s3: S3) -> None:
        text = crc32(LARGE[:size] if is_right else b"another")
        s3.put(PATH, LARGE[:size], f"x-amz-checksum-crc32: {text}")
        params = ON_KEY | {"Body": into(tmp_path / "f"), "ChecksumMode": "ENABLED"}
        if is_right:
            result = await one.call("s3.download_file", params)
            assert result["ChecksumCRC32"] == text
            return
        failed = await one.error("s3.download_file", params)
        assert failed.code == Code.BAD_ANSWER
        assert "CRC32" in failed.message

    with_s3(test)


def test_a_checksum_over_checksums_is_not_taken_for_one_of_the_bytes(tmp_path: Path) -> None:
    """Where the parts began and ended is not known."""

    async def test(one: Rig, s3: S3) -> None:
        s3.put(PATH, LARGE, "x-amz-checksum-crc32: AAAAAA==-3")
        await one.call("s3.download_file", ON_KEY | {"Body": into(tmp_path / "f")})
        assert (tmp_path / "f").read_bytes() == LARGE

    with_s3(test)


def test_an_object_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    """Before anything is written."""

    async def test(one: Rig, s3: S3) -> None:
        body = {"Body": into(tmp_path / "f", length=len(LARGE) - 1)}
        failed = await one.error("s3.download_file", ON_KEY | body)
        assert failed.code == Code.BODY_TOO_LARGE
        assert (tmp_path / "f").read_bytes() == b""

    with_s3(test)


def test_a_stream_with_another_checksum_ends_with_the_error() -> None:
    """A peer that takes the end for the end knows better."""

    async def test(one: Rig, s3: S3) -> None:
        s3.put(PATH, LARGE, f"x-amz-checksum-crc32: {crc32(b'another')}")
        params = ON_KEY | {"ChecksumMode": "ENABLED"}
        peer = one.ask("s3.get_object", params, credit_bytes=1 << 30)
        await peer.ended()
        assert peer.stream_error is not None
        assert peer.stream_error["code"] == Code.BAD_ANSWER

    with_s3(test)


def test_a_body_that_trickles_ends_by_the_deadline(tmp_path: Path) -> None:
    """A byte now and then is not silence; the deadline counts all the same, and no slot is lost."""
    stop = threading.Event()

    async def test(one: Rig, s3: S3) -> None:
        def trickle(exchange: Exchange) -> None:
            exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
            while not stop.wait(0.05):
                exchange.send(b"x")

        s3.always("get", trickle)
        body = {"Body": into(tmp_path / "f")}
        failed = await one.error("s3.download_file", ON_KEY | body, timeout_s=0.5)
        stop.set()
        assert failed.code == Code.DEADLINE_EXCEEDED

    with_s3(test)
