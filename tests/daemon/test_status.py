"""What a worker's status has; a whole daemon's is in test_service.py."""

import asyncio
import json

from botod.ipc.server import Server
from support.http_server import http_server
from support.ipc import LIMITS
from support.loops import run
from support.rigs import ON_KEY
from support.services import reply
from support.tellers import status_of
from support.workers import open_worker


def test_figures_and_a_line() -> None:
    """Numbers of all parts, fit for JSON; and what systemd shows of them."""

    async def main() -> None:
        with http_server(reply(b"x")) as aws:
            async with open_worker({"s3": f"http://127.0.0.1:{aws.port}"}) as jobs:
                server = Server(jobs.worker.handle, LIMITS)
                status = status_of(jobs, server, remembered_num=7)
                await jobs.do("s3.get_object", **ON_KEY)
                await asyncio.sleep(0)
                found = json.loads(json.dumps(status()))
                assert found["jobs"]["jobs_total"] == 1
                assert found["jobs"]["remembered_num"] == 7
                assert found["pools"][0]["leases_total"] == 1
                assert found["peers"] == []
                assert status.line() == "0 jobs running, 1 so far, 0 failed"
                jobs.worker.refusals.count("jobs")
                server.refusals.count("jobs")
                assert status()["refused_by_limit"] == {"jobs": 2}
                await server.close(timeout_s=0)

    run(main)
