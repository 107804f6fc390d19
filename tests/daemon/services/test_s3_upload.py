"""Uploads in parts: what S3 has of them, whatever happens on the way."""

import asyncio
import base64
import contextlib
import os
import threading
import zlib
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from botod.daemon.files import FILE_BLOCK_BYTES
from botod.daemon.services.s3_multipart import Part
from botod.daemon.services.s3_upload import PART_BYTES, part_bytes, whole_etag
from botod.daemon.services.shapes import InvalidParam
from botod.ipc.descriptors import Descriptor
from botod.ipc.errors import ClientError, Code, RpcError
from botod.ipc.limits import Budget
from support.bodies import write_all
from support.exchanges import incoming
from support.http_server import Exchange
from support.loops import BOUND_S, until
from support.rigs import ON_KEY, Rig, rig
from support.s3_server import S3, error

PATH = "/photos/cat.jpg"
LARGE = os.urandom(1 << 20) * 20
"""Three parts."""


def with_s3(test: Callable[[Rig, S3], Coroutine[Any, Any, None]], **options: Any) -> None:
    """Run a test against a server that keeps objects; no upload may be left there."""
    s3 = S3()

    async def main() -> None:
        async with rig(s3, **options) as one:
            await test(one, s3)
        assert not s3.uploads, f"uploads are left; {s3.log}"

    asyncio.run(asyncio.wait_for(main(), BOUND_S))


def file_of(tmp_path: Path, content: bytes = LARGE) -> Descriptor:
    """An open file with this content; whoever gets it closes it."""
    path = tmp_path / "body"
    path.write_bytes(content)
    return Descriptor(os.open(path, os.O_RDONLY))


def crc32(data: bytes) -> str:
    """As S3 writes it."""
    return base64.b64encode(zlib.crc32(data).to_bytes(4)).decode()


def pipe_of(content: bytes) -> Descriptor:
    """The end of a pipe into which a thread writes."""
    out, into = os.pipe()
    threading.Thread(target=_write, args=(into, content), daemon=True).start()
    return Descriptor(out)


def _write(into: int, content: bytes) -> None:
    with contextlib.suppress(BrokenPipeError):
        write_all(into, content, close=False)
    os.close(into)


def stream_of(content: bytes) -> Any:
    """A stream in pieces of 50,000 bytes."""
    return incoming([content[at : at + 50_000] for at in range(0, len(content), 50_000)])


@pytest.mark.parametrize("size", [0, 1, PART_BYTES, PART_BYTES + 1, len(LARGE)])
@pytest.mark.parametrize("way", ["file", "pipe", "stream"])
def test_an_object_is_stored_whole_whichever_way_it_comes(
    way: str, size: int, tmp_path: Path
) -> None:
    """Up to a part's size in one request, else in parts; nobody has to say its length."""
    content = LARGE[:size]
    bodies = {"file": lambda: file_of(tmp_path, content), "pipe": lambda: pipe_of(content),
              "stream": lambda: stream_of(content)}  # fmt: skip

    async def test(one: Rig, s3: S3) -> None:
        result = await one.call("s3.upload_file", ON_KEY | {"Body": bodies[way]()})
        assert s3.objects[PATH] == content
        assert result["ETag"] == s3.etags[PATH]
        parts_num = -(-size // PART_BYTES)
        expected = ["put"] if size <= PART_BYTES else ["create", *["part"] * parts_num, "complete"]
        assert s3.log == expected

    with_s3(test)


def test_bytes_inline_go_in_one_request() -> None:
    """They are here, and small."""

    async def test(one: Rig, s3: S3) -> None:
        await one.call("s3.upload_file", ON_KEY | {"Body": LARGE, "ContentType": "x/y"})
        assert (s3.log, s3.objects[PATH]) == (["put"], LARGE)
        assert one.server.requests[0].headers["content-type"] == "x/y"

    with_s3(test)


def test_one_slot_is_enough(tmp_path: Path) -> None:
    """The job holds none while its parts wait for theirs."""

    async def test(one: Rig, s3: S3) -> None:
        await one.call("s3.upload_file", ON_KEY | {"Body": file_of(tmp_path)})
        assert s3.objects[PATH] == LARGE

    with_s3(test, slots=1)


def test_a_part_that_breaks_off_is_sent_again(tmp_path: Path, quick_retries: None) -> None:
    """And only that one."""

    async def test(one: Rig, s3: S3) -> None:
        s3.once("part", Exchange.cut)
        s3.once("part", lambda exchange: error(exchange, "SlowDown", "503 Slow Down"))
        peer = one.ask("s3.upload_file", ON_KEY | {"Body": file_of(tmp_path)}, progress=True)
        await peer.result()
        assert s3.objects[PATH] == LARGE
        assert s3.log.count("part") == 5

    with_s3(test, retries=3)


@pytest.mark.parametrize("name", ["create", "part", "complete"])
def test_what_s3_refuses_leaves_nothing(name: str, tmp_path: Path) -> None:
    """Its error is the job's; parts that were sent are aborted."""

    async def test(one: Rig, s3: S3) -> None:
        s3.always(name, lambda exchange: error(exchange, "AccessDenied", "403 Forbidden"))
        failed = await one.error("s3.upload_file", ON_KEY | {"Body": file_of(tmp_path)})
        assert isinstance(failed, RpcError)
        assert failed.data["type"] == "AccessDenied"
        await until(lambda: not s3.uploads)
        assert PATH not in s3.objects

    with_s3(test)


@pytest.mark.parametrize("name", ["create", "part", "complete"])
def test_a_job_that_is_cancelled_leaves_nothing(name: str, tmp_path: Path) -> None:
    """Even the upload whose id nobody waits for any more is aborted."""
    held, go = threading.Event(), threading.Event()

    async def test(one: Rig, s3: S3) -> None:
        def hold(exchange: Exchange) -> None:
            held.set()
            assert go.wait(BOUND_S)
            if name == "create":
                s3.serve(exchange)
            else:
                exchange.cut()

        s3.once(name, hold)
        peer = one.ask("s3.upload_file", ON_KEY | {"Body": file_of(tmp_path)})
        await asyncio.to_thread(held.wait, BOUND_S)
        peer.exchange.cancel()
        outcome = await peer.outcome()
        assert outcome.error is not None
        assert outcome.error.code == Code.CANCELLED
        go.set()
        await until(lambda: "abort" in s3.log and not s3.uploads)
        assert PATH not in s3.objects

    with_s3(test)


def test_a_job_past_its_deadline_leaves_nothing(tmp_path: Path) -> None:
    """The abort has a bound of its own."""
    go = threading.Event()

    async def test(one: Rig, s3: S3) -> None:
        s3.once("part", lambda _exchange: go.wait(BOUND_S))
        body = {"Body": file_of(tmp_path)}
        failed = await one.error("s3.upload_file", ON_KEY | body, timeout_s=0.3)
        assert failed.code == Code.DEADLINE_EXCEEDED
        await until(lambda: "abort" in s3.log and not s3.uploads)
        go.set()

    with_s3(test)


def test_an_abort_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A part may come in while it is under way, and the server may not answer."""
    monkeypatch.setattr("botod.daemon.open_uploads.PAUSES_S", (0.0, 0.0, 0.0))

    async def test(one: Rig, s3: S3) -> None:
        s3.always("part", lambda exchange: error(exchange, "AccessDenied", "403 Forbidden"))
        s3.once("abort", lambda exchange: exchange.ok(status="204 No Content"))
        s3.once("abort", Exchange.cut)
        await one.error("s3.upload_file", ON_KEY | {"Body": file_of(tmp_path)})
        await until(lambda: not s3.uploads)
        assert s3.log.count("abort") == 3

    with_s3(test)


def test_a_file_that_is_written_meanwhile_is_not_stored(tmp_path: Path) -> None:
    """Neither large nor small: it would be a mix of two."""

    async def test(one: Rig, s3: S3) -> None:
        def write(exchange: Exchange) -> None:
            with (tmp_path / "body").open("r+b") as file:
                file.write(b"changed")
            s3.serve(exchange)

        s3.once("part", write)
        failed = await one.error("s3.upload_file", ON_KEY | {"Body": file_of(tmp_path)})
        assert (failed.code, failed.data["type"]) == (Code.BODY_CUT_SHORT, "BodyChanged")
        assert failed.data["retryable"] is True
        await until(lambda: not s3.uploads)
        assert "complete" not in s3.log

    with_s3(test)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (b"<Error><Code>InternalError</Code><Message>m</Message></Error>", Code.SERVICE_ERROR),
        (b"  \n  <Error><Code>InternalError</Code></Error>", Code.SERVICE_ERROR),
        (b"<CompleteMultipartUploadResult><ETag>", Code.BAD_ANSWER),
        (b"<CompleteMultipartUploadResult/>", Code.BAD_ANSWER),
        (b"", Code.BAD_ANSWER),
    ],
)
def test_a_200_without_an_object_is_no_success(answer: bytes, code: Code, tmp_path: Path) -> None:
    """Completing may fail after its 200; it is looked whether it did."""

    async def test(one: Rig, s3: S3) -> None:
        s3.always("complete", lambda exchange: exchange.ok(answer))
        failed = await one.error("s3.upload_file", ON_KEY | {"Body": file_of(tmp_path)})
        assert failed.code == code
        assert "list_parts" in s3.log
        await until(lambda: not s3.uploads)

    with_s3(test)


def test_a_complete_whose_answer_is_lost_is_looked_up(tmp_path: Path) -> None:
    """The object is there with the ETag of these parts: that is success."""

    async def test(one: Rig, s3: S3) -> None:
        def lose(exchange: Exchange) -> None:
            s3._complete(exchange, PATH, next(iter(s3.uploads)))
            exchange.cut()

        s3.once("complete", lose)
        result = await one.call("s3.upload_file", ON_KEY | {"Body": file_of(tmp_path)})
        assert result["ETag"] == s3.etags[PATH]
        assert (s3.objects[PATH], s3.log[-1]) == (LARGE, "head")

    with_s3(test)


@pytest.mark.parametrize(
    ("code", "status"), [("SlowDown", "503 Slow Down"), ("InternalError", "500 Oops")]
)
def test_an_older_object_of_the_same_bytes_is_no_success(
    code: str, status: str, tmp_path: Path
) -> None:
    """S3 still has the upload, so it made no object of it; what is there has the older type."""

    async def test(one: Rig, s3: S3) -> None:
        await one.call("s3.upload_file", ON_KEY | {"Body": file_of(tmp_path)})
        s3.always("complete", lambda exchange: error(exchange, code, status))
        again = {"Body": file_of(tmp_path), "ContentType": "image/png"}
        failed = await one.error("s3.upload_file", ON_KEY | again)
        assert failed.data["type"] == code
        await until(lambda: not s3.uploads)

    with_s3(test)


def test_an_object_of_somebody_else_is_no_success(tmp_path: Path) -> None:
    """Another object under that key is not taken for ours."""

    async def test(one: Rig, s3: S3) -> None:
        s3.put(PATH, b"another")
        s3.always("complete", Exchange.cut)
        failed = await one.error("s3.upload_file", ON_KEY | {"Body": file_of(tmp_path)})
        assert failed.code == Code.UNREACHABLE
        await until(lambda: not s3.uploads)

    with_s3(test)


@pytest.mark.parametrize("said", [len(LARGE) - 1, len(LARGE) + 1])
def test_a_pipe_of_another_length_than_said_is_not_stored(said: int) -> None:
    """Too long or too short: nothing is stored."""

    async def test(one: Rig, s3: S3) -> None:
        body = {"Body": pipe_of(LARGE), "ContentLength": said}
        failed = await one.error("s3.upload_file", ON_KEY | body)
        assert failed.code in {Code.BODY_CUT_SHORT, Code.INVALID_PARAMS}
        await until(lambda: not s3.uploads)
        assert PATH not in s3.objects

    with_s3(test)


def test_a_pipe_waits_for_its_own_parts_when_memory_is_short() -> None:
    """There is room for a part and a half: the next is gathered as the one before is sent."""

    async def test(one: Rig, s3: S3) -> None:
        budget = Budget(PART_BYTES * 3 // 2)
        body = {"Body": pipe_of(LARGE)}
        await one.call("s3.upload_file", ON_KEY | body, budget=budget)
        assert s3.objects[PATH] == LARGE
        assert budget.used_bytes == 0

    with_s3(test)


def test_a_file_goes_with_fewer_parts_at_once_where_memory_is_short(tmp_path: Path) -> None:
    """There is room for one block: one part at a time, and none is refused."""

    async def test(one: Rig, s3: S3) -> None:
        body = {"Body": file_of(tmp_path)}
        await one.call("s3.upload_file", ON_KEY | body, budget=Budget(FILE_BLOCK_BYTES * 3 // 2))
        assert (s3.objects[PATH], one.server.connections_total) == (LARGE, 1)

    with_s3(test)


def test_a_pipe_is_refused_where_there_is_no_memory_for_a_part() -> None:
    """It does not wait for what cannot come."""

    async def test(one: Rig, s3: S3) -> None:
        body = {"Body": pipe_of(LARGE)}
        failed = await one.error("s3.upload_file", ON_KEY | body, budget=Budget(PART_BYTES // 2))
        assert failed.code == Code.OVERLOADED
        assert not s3.log

    with_s3(test)


def test_checksums_go_with_each_part_and_the_whole(tmp_path: Path) -> None:
    """That of the whole follows from those of the parts."""

    async def test(one: Rig, s3: S3) -> None:
        params = ON_KEY | {"Body": file_of(tmp_path), "ChecksumAlgorithm": "CRC32"}
        await one.call("s3.upload_file", params)
        create, *parts, complete = one.server.requests
        assert create.headers["x-amz-checksum-type"] == "FULL_OBJECT"
        for part in parts:
            assert part.headers["x-amz-checksum-crc32"] == crc32(part.body)
        assert complete.headers["x-amz-checksum-crc32"] == crc32(LARGE)
        assert complete.headers["x-amz-mp-object-size"] == str(len(LARGE))

    with_s3(test)


@pytest.mark.parametrize("is_right", [True, False])
def test_the_checksum_that_is_given_has_to_be_that_of_the_body(
    is_right: bool, tmp_path: Path
) -> None:
    """Of a body that goes in parts, too: S3 is told of the parts' only."""

    async def test(one: Rig, s3: S3) -> None:
        given = {"ChecksumCRC32": crc32(LARGE if is_right else b"another")}
        asked = ON_KEY | {"Body": file_of(tmp_path)} | given
        if is_right:
            await one.call("s3.upload_file", asked)
            return
        failed = await one.error("s3.upload_file", asked)
        assert failed.code == Code.INVALID_PARAMS
        await until(lambda: not s3.uploads)
        assert PATH not in s3.objects

    with_s3(test)


def test_a_checksum_that_s3_does_not_confirm_is_no_success(tmp_path: Path) -> None:
    """What arrived is not what was sent."""

    async def test(one: Rig, s3: S3) -> None:
        s3.always("part", lambda one: one.ok(b"", 'ETag: "e"', "x-amz-checksum-crc32: AAAAAA=="))
        params = ON_KEY | {"Body": file_of(tmp_path), "ChecksumAlgorithm": "CRC32"}
        failed = await one.error("s3.upload_file", params)
        assert failed.code == Code.BAD_ANSWER
        assert "CRC32" in failed.message
        await until(lambda: not s3.uploads)

    with_s3(test)


def test_a_bucket_of_another_account_is_refused_in_its_words(tmp_path: Path) -> None:
    """Each request says whose the bucket has to be."""

    async def test(one: Rig, s3: S3) -> None:
        params = ON_KEY | {"Body": file_of(tmp_path), "ExpectedBucketOwner": "123456789012"}
        s3.always("part", lambda exchange: error(exchange, "AccessDenied", "403 Forbidden"))
        failed = await one.error("s3.upload_file", params)
        assert isinstance(failed, RpcError)
        assert not isinstance(failed, ClientError)
        await until(lambda: not s3.uploads)
        owners = {r.headers.get("x-amz-expected-bucket-owner") for r in one.server.requests}
        assert owners == {"123456789012"}

    with_s3(test)


def test_parts_are_long_enough_for_ten_thousand_of_them() -> None:
    """For five TiB, and where the length is not known for half a TB."""
    length = 5 * 1024**4
    assert part_bytes(length, 1) * 10_000 >= length
    assert part_bytes(PART_BYTES + 1, 1) == PART_BYTES
    assert sum(part_bytes(None, number) for number in range(1, 10_001)) > 500 * 10**9
    for refused in [(10_001 * 5 * 1024**3, 1), (None, 10_001)]:
        with pytest.raises(InvalidParam):
            part_bytes(*refused)


def test_the_etag_of_parts_that_are_no_md5s_is_not_known() -> None:
    """As where S3 encrypts with keys of its key service."""
    assert whole_etag([Part('"no-md5"', 1, None)]) is None
