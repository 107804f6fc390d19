"""obstore in threads that share a store."""

from load.by_obstore import store_for
from load.drivers import by_threads
from load.meter import Meter
from load.task import Task


def run(task: Task) -> Meter:
    store = store_for(task)

    def put() -> object:
        return store.put("obstore", task.body, use_multipart=False)

    def get() -> object:
        return store.get(task.key).bytes()

    ask = get if task.is_get else put
    return by_threads(Meter(task), lambda: ask, task.in_flight)
