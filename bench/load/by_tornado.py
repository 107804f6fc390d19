"""Tornado's CurlAsyncHTTPClient as it is, nothing signed."""

import asyncio
from typing import Any

from tornado.curl_httpclient import CurlAsyncHTTPClient
from tornado.httpclient import HTTPRequest

from load.drivers import by_tasks
from load.meter import Meter
from load.plain_http import plain
from load.task import Task


def run(task: Task) -> Meter:
    return asyncio.run(_run(task))


async def _run(task: Task) -> Meter:
    method, url, body = plain(task)
    client = CurlAsyncHTTPClient(force_instance=True, max_clients=task.in_flight)

    async def ask() -> Any:
        return await client.fetch(
            HTTPRequest(url, method, body=body, ca_certs=task.ca_file or None)
        )

    meter = await by_tasks(Meter(task), ask)
    client.close()
    return meter
