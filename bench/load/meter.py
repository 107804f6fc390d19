"""How long each request took, and what this process and the daemon used meanwhile."""

import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from load.task import Task

KIB_A_MIB = 1024


class Meter:
    """Counts what a task takes once its warm-up is over."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.took_s: list[float] = []
        self._began = (0.0, 0.0, 0.0)
        self._used = (0.0, 0.0, 0.0)
        self._peak_mib = self._peaks_mib()

    def begin(self) -> None:
        """The warm-up is over."""
        self._began = self._now()

    def end(self) -> None:
        """All is done."""
        self._used = tuple(  # type: ignore[assignment]
            after - before for after, before in zip(self._now(), self._began, strict=True)
        )

    def _now(self) -> tuple[float, float, float]:
        """Seconds: of the clock, of this process, of the daemon."""
        return time.perf_counter(), time.process_time(), sum(map(cpu_s, self.task.pids))

    def _peaks_mib(self) -> float:
        """The most memory so far that the daemon, or else this process, has had."""
        return sum(map(_peak_mib, self.task.pids or (os.getpid(),)))

    def one(self, ask: Callable[[], Any]) -> None:
        """Time a request."""
        began = time.perf_counter()
        ask()
        self.took_s.append(time.perf_counter() - began)

    def figures(self) -> dict[str, float]:
        """cpu_us: of the daemon, if it was asked; all_us: with this process, which asked.

        kib_each: what memory grew by since this meter was made, for each that is in flight.
        """
        took, number = sorted(self.took_s), len(self.took_s)
        assert number, "a task without requests"
        wall_s, own_s, daemon_s = self._used
        pids = self.task.pids
        return {
            "per_s": number / wall_s,
            "cpu_us": (daemon_s if pids else own_s) / number * 1e6,
            "all_us": (daemon_s + own_s) / number * 1e6,
            "p50_ms": took[number // 2] * 1000,
            "p99_ms": took[number * 99 // 100] * 1000,
            "rss_mb": self._peaks_mib(),
            "kib_each": (self._peaks_mib() - self._peak_mib) * KIB_A_MIB / self.task.in_flight,
            "sent": number + self.task.warm_up,
        }


def cpu_s(pid: int) -> float:
    """Of another process, see harness.processes."""
    return time.clock_gettime((~pid << 3) | 2)


def pss_mib(pids: Iterable[int]) -> float:
    """Of all of them, a page that several share counted by each in its part."""
    return sum(_mib(pid, "smaps_rollup", "Pss") for pid in pids)


def _peak_mib(pid: int) -> float:
    """Not by getrusage: its peak has what the parent had before this process was another one."""
    return _mib(pid, "status", "VmHWM")


def _mib(pid: int, file: str, field: str) -> float:
    for line in Path(f"/proc/{pid}/{file}").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) / KIB_A_MIB
    raise LookupError(f"{file} has no {field}")
