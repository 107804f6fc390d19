"""boto 2 in threads, as many as are to be in flight, a connection of boto's each."""

from load.drivers import by_threads
from load.meter import Meter
from load.stock_boto import asking
from load.task import Task


def run(task: Task) -> Meter:
    return by_threads(Meter(task), lambda: asking(task), task.in_flight)
