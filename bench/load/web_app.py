"""A web application of Tornado's whose page sends a message to SQS, as boto's users had in 2011.

    python -m load.web_app WAY TASK    # WAY: blocking, threads, greenlets or daemon

prints its port and serves until its input ends.
"""

import asyncio
import json
import socket
import sys
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import tornado.httpserver
import tornado.netutil
import tornado.web

from load.task import MESSAGE, Task

THREADS = 64

Send = Callable[[], Awaitable[Any]]


async def blocking(task: Task) -> Send:
    """boto in the handler: the loop waits for each answer."""
    from load.stock_boto import asking

    ask = asking(task)

    async def send() -> None:
        ask()

    return send


async def threads(task: Task) -> Send:
    """boto in a pool of threads, a connection in each."""
    from load.stock_boto import asking

    own, pool, loop = threading.local(), ThreadPoolExecutor(THREADS), asyncio.get_running_loop()

    def ask() -> None:
        if not hasattr(own, "ask"):
            own.ask = asking(task)
        own.ask()

    async def send() -> None:
        await loop.run_in_executor(pool, ask)

    return send


async def greenlets(task: Task) -> Send:
    """boto in greenlets over botod.pool."""
    from botod.pool import CurlClient, Pool, spawn
    from load.botod_pool import connection_for
    from load.stock_boto import requests_on

    client = CurlClient(force_instance=True, ca_file=task.ca_file)
    pool = Pool(client, slots_per_host=THREADS, max_waiting=10_000, slot_timeout_s=60)
    ask = requests_on(connection_for(pool, task), task)

    async def send() -> None:
        await spawn(ask)

    return send


async def daemon(task: Task) -> Send:
    """The daemon, by botod's client for asyncio."""
    from botod.ipc import aio

    sqs = (await aio.connect(task.socket)).client("sqs")

    async def send() -> None:
        await sqs.send_message(QueueUrl=f"{task.url}/1/q", MessageBody=MESSAGE, DelaySeconds=0)

    return send


WAYS = {"blocking": blocking, "threads": threads, "greenlets": greenlets, "daemon": daemon}


def application(send: Send) -> tornado.web.Application:
    class Page(tornado.web.RequestHandler):
        async def get(self) -> None:
            await send()
            self.finish("sent")

    return tornado.web.Application([("/", Page)], log_function=lambda _handler: None)


async def serve(way: str, task: Task) -> None:
    """Until the input ends."""
    server = tornado.httpserver.HTTPServer(application(await WAYS[way](task)))
    (listener,) = tornado.netutil.bind_sockets(0, "127.0.0.1", socket.AF_INET, backlog=4096)
    server.add_socket(listener)
    print(listener.getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], Task(**json.loads(sys.argv[2]))))
