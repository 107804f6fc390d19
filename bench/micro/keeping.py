"""What is done about each job besides: a slot, the ledger, the line in the log."""

import io
import logging
from collections.abc import Iterator

from botod.daemon.job_line import job_line
from botod.daemon.ledger import Ledger
from botod.daemon.moved import Moved
from botod.pool.queue import SlotQueue
from micro.decisions import job_on
from micro.piece import Piece


def pieces() -> Iterator[Piece]:
    """Each as it is in the daemon."""
    queue = SlotQueue(size=64, max_waiting=100)

    def slot() -> None:
        assert queue.acquire_nowait(now=0.0), "one is free"
        queue.release(now=0.0)

    ledger, job, moved = Ledger(), job_on("bucket/k"), Moved()
    logger = logging.getLogger("bench")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    handler = logging.StreamHandler(io.StringIO())
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger.addHandler(handler)
    yield Piece("admission: a slot taken and given back", 3.0, slot)
    yield Piece("ledger: a job began", 0.5, ledger.began)
    yield Piece("log: the line of a job", 3.0, lambda: job_line(job, moved, None, 0.001))
    yield Piece("log: the line, written to memory", 12.0,
                lambda: logger.info("%s", job_line(job, moved, None, 0.001)))  # fmt: skip
