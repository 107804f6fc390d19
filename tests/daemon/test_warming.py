"""Which sockets are kept warm, as the profiles change."""

import asyncio

from botod.daemon.warming import Warming
from botod.pool.origin import Origin
from support.http_server import http_server
from support.loops import run, until
from support.pools import open_pool


def test_tasks_come_and_go() -> None:
    """Those that stay are left alone; at the end there are none."""

    async def main() -> None:
        with http_server() as one, http_server() as other:
            first, second = (Origin("http", "127.0.0.1", server.port) for server in (one, other))
            async with open_pool() as pool:
                warming = Warming(pool)
                warming.keep({first: 2})
                await until(lambda: pool.client.socket_stats(first).open_num == 2)
                before = dict(warming._tasks)
                warming.keep({first: 2, second: 1})
                await until(lambda: pool.client.socket_stats(second).open_num == 1)
                assert before.items() <= warming._tasks.items()
                warming.keep({second: 1})
                (task,) = before.values()
                await asyncio.wait([task])
                assert task.cancelled()
                await until(lambda: not pool.client.running_num())
                await warming.stop()
                await warming.stop()
                assert warming._tasks == {}

    run(main)
