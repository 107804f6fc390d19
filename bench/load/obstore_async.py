"""obstore in asyncio's tasks."""

import asyncio

from load.by_obstore import store_for
from load.drivers import by_tasks
from load.meter import Meter
from load.task import Task


def run(task: Task) -> Meter:
    store = store_for(task)

    async def put() -> object:
        return await store.put_async("obstore", task.body, use_multipart=False)

    async def get() -> object:
        return await (await store.get_async(task.key)).bytes_async()

    return asyncio.run(by_tasks(Meter(task), get if task.is_get else put))
