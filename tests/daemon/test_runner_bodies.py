"""Bodies by descriptors and streams, and what is left when they break off."""

import asyncio
import os
from typing import Any, cast

import pytest

from botod.ipc.descriptors import Descriptor
from botod.ipc.errors import Code, RpcError
from botod.ipc.limits import Budget
from botod.pool.spawned import Spawned
from support.bodies import write_all
from support.exchanges import Peer, incoming
from support.http_server import Exchange
from support.loops import BOUND_S, until
from support.rigs import LARGE, ON_KEY, SENDER, TRACE, cut, job_lines, rig, run
from support.services import reply, s3_error, xml


def test_a_large_answer_is_streamed(caplog: pytest.LogCaptureFixture) -> None:
    """To a peer that reads streams, at its pace; the job's line comes at the very end."""

    async def main() -> None:
        async with rig(reply(LARGE), slots=1) as one:
            peer = one.ask("s3.get_object", ON_KEY, credit_bytes=100_000)
            result = await peer.result()
            (stream,) = peer.streams
            assert result["Body"] is stream
            assert result["ContentLength"] == len(LARGE)
            await peer.until(lambda: len(peer.received) == 100_000)
            assert one.worker.running_num == 1
            assert peer.budget.used_bytes > 0
            assert job_lines(caplog) == []
            stream.credit(len(LARGE))
            await peer.ended()
            assert bytes(peer.received) == LARGE
            assert peer.stream_error is None
            await until(lambda: one.worker.running_num == 0)
            assert peer.budget.used_bytes == 0

    run(main())
    (line,) = [record.getMessage() for record in caplog.records if "job s3" in record.getMessage()]
    assert line.startswith("job s3.get_object ok attempts=1 took_ms=")
    assert line.endswith(f" received_bytes={len(LARGE)}")


def test_a_streamed_answer_has_no_deadline() -> None:
    """It ends with the answer; what comes after is bounded by silence only."""

    async def main() -> None:
        async with rig(reply(LARGE)) as one:
            peer = one.ask("s3.get_object", ON_KEY, credit_bytes=1, timeout_s=50)
            await peer.result()
            (pump,) = cast("set[Spawned[Any]]", one.worker._admission.running)
            assert pump.deadline is None
            peer.streams[0].credit(len(LARGE))
            await peer.ended()

    run(main())


def test_a_peer_that_leaves_a_stream(caplog: pytest.LogCaptureFixture) -> None:
    """The transfer is closed, its slot is free."""

    async def main() -> None:
        async with rig(reply(LARGE), slots=1) as one:
            peer = one.ask("s3.get_object", ON_KEY, credit_bytes=100_000)
            await peer.result()
            await peer.until(lambda: bool(peer.received))
            peer.exchange.cancel()
            await peer.ended()
            assert (await one.call("s3.get_object", ON_KEY))["Body"] == LARGE
            assert one.ledger.counts.failed_total == 1

    run(main())
    assert job_lines(caplog)[0] == "job s3.get_object cancelled attempts=1"


def test_a_service_that_breaks_off_a_streamed_answer() -> None:
    """The stream ends with an error that says what happened: nobody takes it for whole."""

    def answer(exchange: Exchange) -> None:
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(LARGE) + 1}\r\n\r\n"
        exchange.send(head.encode() + LARGE)
        exchange.cut()

    async def main() -> None:
        async with rig(answer) as one:
            peer = one.ask("s3.get_object", ON_KEY, credit_bytes=len(LARGE) + 1, traceparent=TRACE)
            assert (await peer.result())["ContentLength"] == len(LARGE) + 1
            await peer.ended()
            assert peer.stream_error is not None
            assert peer.stream_error["code"] == Code.UNREACHABLE
            assert peer.stream_error["data"]["traceparent"] == TRACE
            assert one.ledger.counts.failed_total == 1

    run(main())


def test_draining_lets_streams_finish() -> None:
    """Up to its end; then they are broken off."""

    async def main() -> None:
        async with rig(reply(LARGE)) as one:
            first = one.ask("s3.get_object", ON_KEY, credit_bytes=1)
            await first.result()
            drain = asyncio.ensure_future(one.worker.drain(BOUND_S))
            await asyncio.sleep(0)
            first.streams[0].credit(len(LARGE))
            await drain
            assert bytes(first.received) == LARGE
        async with rig(reply(LARGE)) as one:
            second = one.ask("s3.get_object", ON_KEY, credit_bytes=1)
            await second.result()
            await one.worker.drain(0)
            assert second.stream_error is not None
            assert second.stream_error["code"] == Code.CANCELLED

    run(main())


def test_a_stream_cannot_be_opened() -> None:
    """As when too many are: an error is the answer, the transfer is closed."""

    async def main() -> None:
        async with rig(reply(LARGE), slots=1) as one:
            peer = Peer("s3.get_object", ON_KEY, sender=SENDER, credit_bytes=1)
            peer.make_stream = _no_stream  # type: ignore[method-assign]
            peer.ask(one.worker.handle)
            error = (await peer.outcome()).error
            assert error is not None
            assert error.code == Code.OVERLOADED
            assert (await one.call("s3.get_object", ON_KEY))["Body"] == LARGE

    run(main())


def _no_stream() -> Any:
    raise RpcError(Code.OVERLOADED, "64 streams are open", {"limit": "streams_per_peer"})


def test_an_answer_for_which_there_is_no_memory() -> None:
    """Refused by name; the slot is free; the daemon counts it."""

    async def main() -> None:
        async with rig(reply(LARGE), slots=1) as one:
            error = await one.error("s3.get_object", ON_KEY, budget=Budget(100_000))
            assert (error.code, error.data["limit"]) == (Code.OVERLOADED, "buffered_bytes")
            assert one.worker.refusals.by_limit() == {"buffered_bytes": 1}
            budget = Budget(1_000_000)
            assert (await one.call("s3.get_object", ON_KEY, budget=budget))["Body"] == LARGE
            assert budget.used_bytes == 0

    run(main())


def test_a_document_for_which_there_is_no_memory() -> None:
    """As for any other answer; what fits counts until the job's end."""

    async def main() -> None:
        document = f"<ListBucketResult><Name>{'x' * 200_000}</Name></ListBucketResult>"
        async with rig(xml(document)) as one:
            params = {"Bucket": "photos"}
            error = await one.error("s3.list_objects_v2", params, budget=Budget(100_000))
            assert (error.code, error.data["limit"]) == (Code.OVERLOADED, "buffered_bytes")
            budget = Budget(300_000)
            assert await one.call("s3.list_objects_v2", params, budget=budget)
            assert budget.used_bytes == 0

    run(main())


def test_a_body_goes_from_one_descriptor_and_to_another(caplog: pytest.LogCaptureFixture) -> None:
    """Unsigned, since it is read once; with the longest deadline; the bytes are in the log."""

    async def main() -> None:
        source, target = os.memfd_create("source"), os.memfd_create("target")
        reader = os.dup(target)
        os.write(source, LARGE)
        async with rig(reply(LARGE)) as one:
            up = one.ask("s3.put_object", ON_KEY | {"Body": Descriptor(source, offset=0)})
            (future,) = cast("set[Spawned[Any]]", one.worker._admission.running)
            assert future.deadline is not None
            assert future.deadline - asyncio.get_running_loop().time() > 90
            await up.result()
            (request,) = one.server.requests
            assert request.body == LARGE
            assert request.headers["content-length"] == str(len(LARGE))
            assert request.headers["x-amz-content-sha256"] == "UNSIGNED-PAYLOAD"
            result = await one.call("s3.get_object", ON_KEY | {"Body": Descriptor(target)})
            assert "Body" not in result
            assert result["ContentLength"] == len(LARGE)
        assert os.pread(reader, len(LARGE) + 1, 0) == LARGE
        os.close(reader)

    run(main())
    lines = [record.getMessage() for record in caplog.records if "job s3" in record.getMessage()]
    assert lines[0].endswith(f" sent_bytes={len(LARGE)}")
    assert lines[1].endswith(f" received_bytes={len(LARGE)}")


def test_who_sends_nothing_holds_no_slot() -> None:
    """The request begins with the first of its body."""

    async def main() -> None:
        reader, writer = os.pipe()
        async with rig(reply(b"x"), slots=1) as one:
            params = ON_KEY | {"Body": Descriptor(reader), "ContentLength": 100_000}
            silent = one.ask("s3.put_object", params)
            for _ in range(3):
                assert (await one.call("s3.get_object", ON_KEY))["Body"] == b"x"
            assert not silent.outcomes
            sending = asyncio.to_thread(write_all, writer, b"y" * 100_000)
            await asyncio.gather(sending, silent.result())
            assert one.server.requests[-1].body == b"y" * 100_000

    run(main())


def test_a_file_is_sent_again_when_a_try_fails(quick_retries: None) -> None:
    """From its first byte."""

    async def main() -> None:
        answers = iter([cut, reply("busy", status="503 Service Unavailable")])
        source = os.memfd_create("source")
        os.write(source, LARGE)

        def answer(exchange: Exchange) -> None:
            next(answers, reply())(exchange)

        async with rig(answer, retries=2) as one:
            await one.call("s3.put_object", ON_KEY | {"Body": Descriptor(source, offset=0)})
            assert [request.body == LARGE for request in one.server.requests] == [True] * 3

    run(main())


def test_a_stream_is_sent_once(quick_retries: None) -> None:
    """What the service said at the one try is the answer."""

    async def main() -> None:
        busy = s3_error("SlowDown", "Slow down", "503 Slow Down")
        async with rig(busy, retries=2) as one:
            body = incoming([b"x" * 60_000] * 2)
            params = ON_KEY | {"Body": body, "ContentLength": 120_000}
            error = await one.error("s3.put_object", params)
            assert error.data["http_status"] == 503
            assert (error.data["attempts"], error.data["retryable"]) == (1, True)
            assert len(one.server.requests) == 1

    run(main())


def test_a_body_that_is_too_short_is_no_object() -> None:
    """The service is left without the rest; the error is the body's."""

    async def main() -> None:
        async with rig(reply(), retries=2) as one:
            body = incoming([b"x" * 60_000] * 2)
            params = ON_KEY | {"Body": body, "ContentLength": 120_001}
            error = await one.error("s3.put_object", params)
            assert error.code == Code.BODY_CUT_SHORT
            assert "Body has 120000 bytes; 120001 were to come" in error.message
            assert one.server.requests == [], "a whole request came"

    run(main())


def test_a_file_that_grew_by_a_part_may_not_get_it_again() -> None:
    """The error says how much was written, and that trying again is no good."""

    def answer(exchange: Exchange) -> None:
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {9 * len(LARGE)}\r\n\r\n"
        exchange.send(head.encode() + LARGE * 3)
        exchange.cut()

    async def main() -> None:
        target = os.open("/tmp", os.O_TMPFILE | os.O_WRONLY | os.O_APPEND)
        async with rig(answer) as one:
            error = await one.error("s3.get_object", ON_KEY | {"Body": Descriptor(target)})
            assert error.code == Code.UNREACHABLE
            assert (error.data["bytes_written"], error.data["retryable"]) == (2 << 20, False)

    run(main())


def test_a_pipe_that_got_a_part_may_not_get_it_again() -> None:
    """Also when the job is cancelled."""

    async def main() -> None:
        reader, writer = os.pipe()
        async with rig(reply(LARGE)) as one:
            peer = one.ask("s3.get_object", ON_KEY | {"Body": Descriptor(writer)})
            assert await asyncio.to_thread(os.read, reader, 10) == LARGE[:10]
            peer.exchange.cancel()
            error = (await peer.outcome()).error
            assert error is not None
            assert error.code == Code.CANCELLED
            assert (error.data["bytes_written"], error.data["retryable"]) == (0, False)
            assert "trying again would write it twice" in error.message
        os.close(reader)

    run(main())
