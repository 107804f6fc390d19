"""Retries that can be trusted: storms, dead hosts, clocks and keys; each to its own host only."""

import asyncio
import contextlib
import datetime as dt
import threading
from collections import Counter
from email.utils import formatdate
from pathlib import Path
from random import Random
from typing import Any

import pytest

from botod.daemon.budget import LEAST, LEAST_PER_S
from botod.ipc import ClientError, Code, RpcError
from botod.pool.health import BREAKS_MAX
from support.daemons import clean_environ, endpoints, running_daemon, short_folder
from support.http_server import Exchange, http_server
from support.loops import run
from support.services import query_xml, s3_error
from support.workers import open_worker

GET = {"Bucket": "bucket", "Key": "k"}
SEND = {"QueueUrl": "http://h/1/q", "MessageBody": "m"}


def test_a_storm_of_503_is_not_made_worse(capsys: pytest.CaptureFixture[str]) -> None:
    """A third is refused for a while: 1.2 requests a job, fewer slots; afterwards all are back."""
    random, lock = Random(1), threading.Lock()
    counts: Counter[str] = Counter()
    storm = threading.Event()
    storm.set()

    def answer(exchange: Exchange) -> None:
        with lock:
            counts["requests"] += 1
            is_refused = storm.is_set() and random.random() < 0.3
        if is_refused:
            exchange.ok(b"", status="503 Slow Down")
        else:
            exchange.ok(b"miaow")

    async def scenario() -> None:
        with http_server(answer) as server:
            url = f"http://127.0.0.1:{server.port}"
            async with open_worker({"s3": url}, retries=3, slots=32, max_waiting=4000) as jobs:
                loop = asyncio.get_running_loop()
                began, least, done = loop.time(), 32, 0

                async def one() -> None:
                    nonlocal done
                    with contextlib.suppress(RpcError):
                        await jobs.do("s3.get_object", **GET)
                    done += 1

                async def watch() -> None:
                    nonlocal least
                    while done < 1000:
                        for host in jobs.pool.stats():
                            least = min(least, host.slots.slots_num)
                        await asyncio.sleep(0)

                await asyncio.gather(watch(), *(one() for _ in range(1000)))
                most = 1000 * 1.2 + LEAST + LEAST_PER_S * (loop.time() - began)
                stormy = counts["requests"]
                assert 1000 < stormy <= most
                storm.clear()
                (host,) = jobs.pool.stats()
                after, answers = host.slots.slots_num, 0
                while jobs.pool.stats()[0].slots.slots_num < 32:
                    await asyncio.gather(*(one() for _ in range(50)))
                    answers += 50
                    assert answers <= 2000
                assert least <= 6
                assert counts["requests"] - stormy == answers  # no retry was needed
        with capsys.disabled():
            print(  # noqa: T201
                f"\n  storm: {stormy / 1000:.3f} requests a job; slots 32, {least} at least, "
                f"{after} after it, 32 again after {answers} good answers"
            )

    run(scenario)


def test_a_host_that_resets_every_connection_holds_up_nobody() -> None:
    """Messages go out once each, then jobs fail at once; another host is as ever."""

    async def scenario() -> None:
        with http_server(Exchange.reset) as bad, http_server() as good:
            urls = {"sqs": f"http://127.0.0.1:{bad.port}", "s3": f"http://127.0.0.1:{good.port}"}
            async with open_worker(urls, retries=3, slots=4, sqs_batching=False) as jobs:

                async def send(number: int) -> RpcError:
                    with pytest.raises(RpcError) as caught:
                        await jobs.do("sqs.send_message", **SEND | {"MessageBody": f"m{number}"})
                    return caught.value

                errors = await asyncio.gather(*(send(number) for number in range(40)))
                for number, error in enumerate(errors):
                    copies = sum(f"m{number}&".encode() in one.body for one in bad.requests)
                    assert copies == (1 if error.code == Code.OUTCOME_UNKNOWN else 0)
                    assert error.data["outcome_unknown"] is (copies == 1)
                codes = Counter(error.code for error in errors)
                assert BREAKS_MAX <= codes[Code.OUTCOME_UNKNOWN] < BREAKS_MAX + 4
                assert codes[Code.UNREACHABLE] == 40 - codes[Code.OUTCOME_UNKNOWN]
                assert (await jobs.do("s3.get_object", **GET))["Body"] == b"fine"

    run(scenario)


def test_a_message_is_sent_again_only_if_it_was_refused() -> None:
    """After a 503 it was not taken; after a 500 nobody knows; after a gateway's 504 nor do we."""

    async def after(status: str) -> tuple[int, Any]:
        statuses = [status]

        def answer(exchange: Exchange) -> None:
            if statuses:
                exchange.ok(b"", status=statuses.pop())
            else:
                query_xml("SendMessage", "<MessageId>m-1</MessageId>")(exchange)

        with http_server(answer) as server:
            urls = {"sqs": f"http://127.0.0.1:{server.port}"}
            async with open_worker(urls, retries=3) as jobs:
                try:
                    await jobs.do("sqs.send_message", **SEND)
                except RpcError as error:
                    data = error.data
                    return len(server.requests), (data["retryable"], data["outcome_unknown"])
                return len(server.requests), "sent"

    async def scenario() -> None:
        assert await after("503 Service Unavailable") == (2, "sent")
        assert await after("500 Oops") == (1, (False, False))
        assert await after("504 Gateway Timeout") == (1, (False, True))

    run(scenario)


def dated(exchange: Exchange) -> dt.datetime:
    """When a request says that it was signed."""
    date = exchange.headers["x-amz-date"]
    return dt.datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=dt.UTC)


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_clock_that_is_an_hour_off(hours: int) -> None:
    """One request finds out, the others are dated by the server's clock."""

    def answer(exchange: Exchange) -> None:
        there = dt.datetime.now(dt.UTC) + dt.timedelta(hours=hours)
        date = f"Date: {formatdate(there.timestamp(), usegmt=True)}"
        if abs(dated(exchange) - there) < dt.timedelta(minutes=5):
            exchange.ok(b"fine", date)
        else:
            body = b"<Error><Code>RequestTimeTooSkewed</Code><Message>late</Message></Error>"
            exchange.ok(body, date, status="403 Forbidden")

    async def scenario() -> None:
        with http_server(answer) as server:
            urls = {"s3": f"http://127.0.0.1:{server.port}"}
            async with open_worker(urls, retries=0) as jobs:
                for _ in range(3):
                    assert (await jobs.do("s3.get_object", **GET))["Body"] == b"fine"
                assert len(server.requests) == 4

    run(scenario)


def test_keys_that_end_while_it_runs() -> None:
    """A job that is refused has them looked for anew; those put into the file are used."""
    good = "first-key"

    def answer(exchange: Exchange) -> None:
        key = exchange.headers["authorization"].partition("Credential=")[2].partition("/")[0]
        if key == good:
            exchange.ok(b"fine")
        else:
            s3_error("ExpiredToken", "The provided token has expired.", "400 Bad Request")(exchange)

    with http_server(answer) as server, short_folder() as folder:
        file = folder / "keys"
        environ = clean_environ(folder, AWS_SHARED_CREDENTIALS_FILE=str(file))
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            del environ[name]
        put_keys(file, "first-key")
        with running_daemon(endpoints(server.port), environ) as daemon, daemon.connect() as one:
            s3 = one.client("s3")
            assert s3.get_object(**GET)["Body"].read() == b"fine"
            put_keys(file, "second-key")
            good = "second-key"
            for _ in range(3):
                assert s3.get_object(**GET)["Body"].read() == b"fine"
            assert len(server.requests) == 5  # one was refused
            good = "third-key"
            with pytest.raises(ClientError, match="ExpiredToken"):
                s3.get_object(**GET)  # there are no others
            daemon.wait_for_line("keys of profile 'default': from shared-credentials-file")


def put_keys(file: Path, access_key: str) -> None:
    """Put keys where the daemon finds them."""
    file.write_text(
        f"[default]\naws_access_key_id = {access_key}\naws_secret_access_key = a-secret-key\n"
    )


@pytest.mark.parametrize(
    ("code", "status"),
    [("InvalidAccessKeyId", "403 Forbidden"), ("SignatureDoesNotMatch", "403 Forbidden")],
)
def test_wrong_keys(code: str, status: str) -> None:
    """AWS's word is the answer, after one try."""

    async def scenario() -> None:
        with http_server(s3_error(code, "no", status)) as server:
            urls = {"s3": f"http://127.0.0.1:{server.port}"}
            async with open_worker(urls, retries=3) as jobs:
                with pytest.raises(RpcError) as caught:
                    await jobs.do("s3.get_object", **GET)
                assert (caught.value.code, caught.value.data["type"]) == (Code.SERVICE_ERROR, code)
                assert not caught.value.data["retryable"]
                assert len(server.requests) == 1

    run(scenario)


def test_a_host_that_does_not_exist() -> None:
    """Nothing was sent, which the error says, with the host's name."""

    async def scenario() -> None:
        async with open_worker({"sqs": "http://sqs.no-such-region.invalid"}, retries=1) as jobs:
            with pytest.raises(RpcError) as caught:
                await jobs.do("sqs.send_message", **SEND)
            error = caught.value
            assert (error.code, error.data["attempts"]) == (Code.UNREACHABLE, 2)
            assert error.data["host"] == "sqs.no-such-region.invalid:80"
            assert not error.data["outcome_unknown"]

    run(scenario)
