"""The load test of 2011: a web application that sends a message a page, at rising rates."""

import contextlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from functools import partial

from far import far
from nginx import running_nginx

from daemon import MEMORY, running_daemon
from harness.environment import debian, program
from harness.figures import Row
from harness.plot import curves
from harness.work import Column, Contender, Figures, Kind, NotMeasuredError, Scale, Work
from load.task import Task
from works.asking import BENCH, environ
from works.hot import WITHOUT_BATCHES

RATES = (10, 25, 50, 100, 200, 400, 800, 1200)
QUICK_RATES = (25, 100, 400)
REPLY_WITHIN_S = 5

COLUMNS = (
    Column("most", "most replies", "/s", more=True),
    *(Column(f"at_{rate}", f"at {rate}/s", more=True) for rate in RATES),
)


def replies_per_s(said: str) -> float:
    """Of what httperf says: replies over the whole test. NotMeasuredError if it says nothing."""
    total = re.search(r"replies (\d+) test-duration ([\d.]+) s", said)
    if total is None:
        raise NotMeasuredError("httperf said nothing of replies")
    return int(total[1]) / float(total[2])


def driven(port: int, rate: int, seconds: int) -> float:
    """Replies a second at this rate; each page by a connection of its own."""
    words = [debian("httperf"), "--hog", "--server", "127.0.0.1", "--port", str(port), "--uri", "/",
             "--rate", str(rate), "--num-conns", str(rate * seconds),
             "--timeout", str(REPLY_WITHIN_S)]  # fmt: skip
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return replies_per_s(done.stdout)


@contextlib.contextmanager
def running_app(way: str, task: Task, package: str) -> Iterator[int]:
    """The application for the length of a block; its port."""
    python = program(package) if package else sys.executable
    words = [python, "-m", "load.web_app", way, json.dumps(task._asdict())]
    found = {**environ(task.ca_file), "PYTHONPATH": str(BENCH)}
    with subprocess.Popen(
        words, env=found, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None, "a pipe was asked for"
        try:
            told = process.stdout.readline()
            if not told:
                raise NotMeasuredError("the application did not start")
            yield int(told)
        finally:
            process.kill()


def round_of(way: str, task: Task, package: str, *, rates: Sequence[int], seconds: int) -> Figures:
    """Every rate, from the lowest, on an application that is started anew."""
    with running_app(way, task, package) as port:
        driven(port, rates[0], 1)
        found = {rate: driven(port, rate, seconds) for rate in rates}
    return {"most": max(found.values()), **{f"at_{rate}": was for rate, was in found.items()}}


@contextlib.contextmanager
def stage(scale: Scale) -> Iterator[dict[str, Contender]]:
    """SQS is 20 ms away, as it is for most."""
    how = {"rates": QUICK_RATES if scale.quick else RATES, "seconds": scale.of(3, 2)}
    with (
        running_nginx(MEMORY) as server,
        far(server) as distant,
        running_daemon(distant, profile=WITHOUT_BATCHES) as daemon,
    ):
        task = Task("sqs", "localhost", distant.port, distant.ca_file, 1, 1, 0, daemon.path)

        def contender(label: str, kind: Kind, way: str, package: str) -> Contender:
            return Contender(label, kind, partial(round_of, way, task, package, **how))

        yield {
            "botod": contender("botod, by botod.ipc.aio", Kind.OURS, "daemon", ""),
            "botod-pool": contender("boto in greenlets, botod.pool", Kind.OURS, "greenlets", ""),
            "threads": contender("boto in 64 threads", Kind.PEER, "threads", "boto"),
            "blocking": contender("boto in the handler", Kind.PEER, "blocking", "boto"),
        }


def curve(work: Work, rows: Sequence[Row]) -> str:
    """Replies against rate."""
    lines = {
        row.label: [
            (float(rate), row.figures[f"at_{rate}"].median)
            for rate in RATES
            if f"at_{rate}" in row.figures
        ]
        for row in rows
        if row.figures
    }
    return curves(work.title, "requests/s", "replies/s", lines)


WORKS = (Work("web", "A web application that sends a message a page", COLUMNS, stage, plot=curve),)
