"""A worker over a real pool, and a server that gives canned answers."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import pytest

from botod.daemon.credentials import Keys, NoKeys
from botod.daemon.gates import Gates
from botod.daemon.intake import Intake
from botod.daemon.joins import Joins
from botod.daemon.ledger import Ledger
from botod.daemon.open_uploads import OpenUploads
from botod.daemon.policy import Policy
from botod.daemon.profile_settings import ProfileSettings
from botod.daemon.runs import Run
from botod.daemon.upstreams import Upstreams
from botod.daemon.worker import Control, Worker
from botod.ipc.errors import RpcError
from botod.ipc.exchange import Sender
from botod.ipc.framing import MAX_INLINE_BYTES
from botod.ipc.limits import Budget
from botod.pool import Pool
from support.exchanges import Peer
from support.http_server import Answer, Exchange, HttpServer, http_server
from support.loops import BOUND_S
from support.pools import KEYS, open_pool

SENDER = Sender(pid=1, uid=os.geteuid(), gid=0, connection_id=7)
ON_KEY = {"Bucket": "photos", "Key": "cat.jpg"}
PING: dict[str, Control] = {"botod.ping": lambda exchange: exchange.answer({"pid": 1})}
MESSAGE = {"QueueUrl": "http://h/1/q", "MessageBody": "x"}
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
LARGE = b"0123456789abcdef" * 50_000


class Rig:
    """A worker over a real pool and a server that gives canned answers."""

    def __init__(
        self,
        worker: Worker,
        ledger: Ledger,
        joins: "Joins[Run]",
        server: HttpServer,
        gates: Gates,
    ) -> None:
        self.worker = worker
        self.gates = gates
        self.ledger = ledger
        self.joins = joins
        self.server = server

    def ask(
        self,
        method: str,
        params: dict[str, Any] | None = None,
        *,
        sender: Sender = SENDER,
        credit_bytes: int | None = None,
        budget: Budget | None = None,
        **options: Any,
    ) -> Peer:
        """A request that was handed over."""
        peer = Peer(
            method,
            params,
            sender=sender,
            options=options,
            credit_bytes=credit_bytes,
            budget=budget,
        )
        return peer.ask(self.worker.handle)

    async def call(self, method: str, params: dict[str, Any] | None = None, **options: Any) -> Any:
        """What becomes of a request."""
        return await self.ask(method, params, **options).result()

    async def error(
        self, method: str, params: dict[str, Any] | None = None, **options: Any
    ) -> RpcError:
        """The wire's error that becomes of a request."""
        with pytest.raises(RpcError) as caught:
            await self.call(method, params, **options)
        return caught.value


@contextlib.asynccontextmanager
async def rig(
    answer: Answer,
    *,
    retries: int = 0,
    jobs_max: int = 100,
    own_uid: int | None = None,
    control: dict[str, Control] | None = None,
    port: int | None = None,
    scheme: str = "http",
    remember_s: float = 600,
    sqs_batching: bool = True,
    ledger: Ledger | None = None,
    **pool_options: Any,
) -> AsyncIterator[Rig]:
    """A worker with the profiles default and poor, which has no keys."""
    with http_server(answer) as server:
        async with open_pool(**pool_options) as pool:
            uploads = OpenUploads()
            url = f"{scheme}://127.0.0.1:{port or server.port}"
            upstreams = upstreams_at(pool, url, retries, sqs_batching=sqs_batching, uploads=uploads)
            joins = Joins[Run](remember_s=remember_s)
            ledger, gates = ledger or Ledger(), Gates(pool)
            worker = Worker(
                upstreams,
                Policy(own_uid),
                Intake(timeout_s=BOUND_S, timeout_max_s=100.0),
                joins,
                control=control or {},
                ledger=ledger,
                gates=gates,
                jobs_max=jobs_max,
                inline_bytes=MAX_INLINE_BYTES,
                unread_timeout_s=BOUND_S,
            )
            yield Rig(worker, ledger, joins, server, gates)
            await asyncio.sleep(0)  # what is done is forgotten in the next turn
            assert worker.running_num == 0, "a job has not been settled"
            await uploads.close()


def upstreams_at(
    pool: Pool,
    url: str,
    retries: int,
    *,
    sqs_batching: bool = True,
    uploads: OpenUploads | None = None,
) -> Upstreams:
    """The profiles default, with all services at one server, and poor, which has no keys."""
    settings = ProfileSettings(retries=retries, endpoint=url, sqs_batching=sqs_batching)

    def find(name: str, _settings: ProfileSettings) -> Keys:
        if name == "poor":
            raise NoKeys("nobody gives it any")
        return Keys(*KEYS)

    profiles = {"default": settings, "poor": settings}
    return Upstreams(pool, profiles, find, uploads=uploads)


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run a test's coroutine."""
    asyncio.run(main)


def job_lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The worker's line about each job, without how long it took."""
    lines = [
        record.getMessage() for record in caplog.records if record.name == "botod.daemon.ledger"
    ]
    assert all("took_ms=" in line for line in lines)
    return [line.partition(" took_ms=")[0] for line in lines]


def cut(exchange: Exchange) -> None:
    """Close the connection without a word."""
    exchange.cut()
