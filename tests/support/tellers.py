"""Workers that tell of themselves."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from botod.daemon.killing import Ids
from botod.daemon.metrics.loop_lag import LoopLag
from botod.daemon.metrics.snapshot import Snapshot
from botod.daemon.share import Share
from botod.daemon.status import Status
from botod.ipc.server import Server
from support.http_server import http_server
from support.ipc import LIMITS
from support.rigs import ON_KEY
from support.services import reply
from support.workers import Jobs, open_worker


def status_of(jobs: Jobs, server: Server, *, remembered_num: int = 0) -> Status:
    """What a worker shows, with so many outcomes known by their keys."""
    return Status(
        server,
        jobs.worker,
        jobs.ledger,
        jobs.pool,
        jobs.upstreams,
        remembered_num=lambda: remembered_num,
        ids=Ids(0),
    )


@asynccontextmanager
async def telling_worker() -> AsyncIterator[tuple[Jobs, Snapshot]]:
    """One with a service that answers, and what tells of it."""
    with http_server(reply(b"miaow")) as aws:
        async with open_worker({"s3": f"http://127.0.0.1:{aws.port}"}) as jobs:
            server = Server(jobs.worker.handle, LIMITS)
            status = status_of(jobs, server)
            figures = jobs.ledger.figures
            yield (
                jobs,
                Snapshot(
                    status,
                    figures,
                    LoopLag(),
                    jobs.upstreams,
                    gates=jobs.gates,
                    share=Share(1, 3),
                ),
            )
            await server.close(timeout_s=0)


def told(number: int, jobs_num: int) -> dict[str, Any]:
    """What a worker tells that has done so many jobs."""

    async def main() -> dict[str, Any]:
        async with telling_worker() as (jobs, snapshot):
            for _ in range(jobs_num):
                await jobs.do("s3.get_object", **ON_KEY)
            found: dict[str, Any] = json.loads(json.dumps(await snapshot()))
            return found | {"worker": number}

    return asyncio.run(main())
