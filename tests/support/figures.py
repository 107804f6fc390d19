"""What a daemon holds, from outside: its own figures, its descriptors, its memory."""

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from support.daemons import BOUND_S, Daemon, wait_until

RSS_GROWTH_MAX_BYTES = 16 * 1024 * 1024
"""Once every kind of job has been served: what malloc keeps wavers."""

PAGE_BYTES = 4096


def status_of(daemon: Daemon) -> dict[str, Any]:
    """What `botod status` shows."""
    with daemon.connect() as connection:
        found: dict[str, Any] = connection.call("botod.status")
    return found


def figures(daemon: Daemon) -> dict[str, int]:
    """What must be nothing once all jobs are done and all peers are gone."""
    return held(status_of(daemon))


def held(status: dict[str, Any]) -> dict[str, int]:
    """The same of a status."""
    pools = status["pools"]
    return {
        "peers": len(status["peers"]) - 1,  # the one that asks
        "jobs": status["jobs"]["running_num"],
        "polling": status["jobs"]["polling_num"],
        "leased": sum(pool["leased_num"] for pool in pools),
        "waiting": sum(pool["waiting_num"] for pool in pools),
        "buffered_bytes": status["buffered_bytes"],
    }


def nothing_left(daemon: Daemon) -> bool:
    """Whether nothing is held for anybody any more."""
    return not any(figures(daemon).values())


def pids(daemon: Daemon) -> list[int]:
    """The processes that do jobs: the workers, or the daemon itself."""
    status = status_of(daemon)
    return [one["pid"] for one in status.get("workers", [status])]


def descriptors_num(daemon: Daemon) -> int:
    """Of all its workers, without the sockets to servers, which pools keep; no peer is left."""
    with daemon.connect() as connection:
        wait_until(lambda: len(connection.call("botod.status")["peers"]) == 1, daemon)
        status = connection.call("botod.status")
        open_num = sum(len(_links(one["pid"])) for one in status.get("workers", [status]))
    return open_num - sum(pool["sockets"]["open_num"] for pool in status["pools"])


def _links(pid: int) -> list[Path]:
    return [link for link in Path(f"/proc/{pid}/fd").iterdir() if link.is_symlink()]


def rss_bytes(daemon: Daemon) -> int:
    """Resident memory of all its workers."""
    return sum(_rss_bytes(pid) for pid in pids(daemon))


def _rss_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES


def cpu_s(pid: int) -> float:
    """What a process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100  # utime and stime, in hundredths


@contextlib.contextmanager
def survives(
    daemon: Daemon, job: Callable[[], object], *, within_s: float = BOUND_S
) -> Iterator[None]:
    """A fault, for the length of a block.

    job: one that succeeds before and after it, the second time within so many seconds; it raises
    what it failed with. Afterwards nothing is held, and no more descriptors and memory than before.
    """
    for _ in range(10):  # so that whatever is made once is there
        job()
    wait_until(lambda: nothing_left(daemon), daemon)
    descriptors, rss = descriptors_num(daemon), rss_bytes(daemon)
    yield
    succeeds(job, within_s)
    wait_until(lambda: nothing_left(daemon), daemon)

    def are_closed() -> bool:
        job()  # with the next transfer curl lets go of sockets that servers closed
        return descriptors_num(daemon) <= descriptors

    wait_until(are_closed, daemon)
    grown_bytes = rss_bytes(daemon) - rss
    assert grown_bytes <= RSS_GROWTH_MAX_BYTES, f"{grown_bytes / 1e6:.0f} MB more"


def succeeds(job: Callable[[], object], within_s: float) -> None:
    """Try until a job succeeds; after so many seconds with the error it has then."""
    deadline = time.monotonic() + within_s
    while True:
        try:
            job()
        except Exception:
            if time.monotonic() >= deadline:
                raise
            time.sleep(0.05)
        else:
            return
