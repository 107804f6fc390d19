"""boto 2 over gevent's sockets."""

from collections.abc import Callable
from typing import Any

from gevent import monkey

monkey.patch_all()

import gevent  # noqa: E402 - what is imported before it is patched blocks

from load.drivers import shares  # noqa: E402
from load.meter import Meter  # noqa: E402
from load.stock_boto import asking  # noqa: E402
from load.task import Task  # noqa: E402


def run(task: Task) -> Meter:
    meter = Meter(task)
    asks = [asking(task) for _ in range(task.in_flight)]

    def warm_up(ask: Callable[[], Any], number: int) -> None:
        for _ in range(number):
            ask()

    def work(ask: Callable[[], Any], number: int) -> None:
        for _ in range(number):
            meter.one(ask)

    def each(what: Callable[..., None], number: int) -> None:
        pairs = zip(asks, shares(number, task.in_flight), strict=True)
        gevent.joinall([gevent.spawn(what, *pair) for pair in pairs], raise_error=True)

    each(warm_up, task.warm_up)
    meter.begin()
    each(work, task.number)
    meter.end()
    return meter
