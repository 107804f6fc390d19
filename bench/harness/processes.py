"""What processes use, by the kernel's word: CPU, memory, on which core."""

import contextlib
import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

KIB_A_MIB = 1024


def cpu_s(pid: int) -> float:
    """User and system time of a process and its threads so far, to the nanosecond.

    /proc/PID/stat counts in ticks of ten milliseconds. This is the clock that
    clock_getcpuclockid(3) gives for another process.
    """
    return time.clock_gettime((~pid << 3) | 2)


def cpu_of(pids: Iterable[int]) -> float:
    """Of all of them."""
    return sum(map(cpu_s, pids))


def family(pid: int) -> list[int]:
    """A process and those that it forked, theirs too."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):
            for child in (task / "children").read_text().split():
                found += family(int(child))
    return found


def pss_mib(pids: Iterable[int]) -> float:
    """Resident memory, a page that several share counted by each in its part."""
    return sum(_kib(pid, "smaps_rollup", "Pss") for pid in pids) / KIB_A_MIB


def rss_mib(pid: int) -> float:
    """Resident memory now."""
    return _kib(pid, "status", "VmRSS") / KIB_A_MIB


def peak_mib(pid: int) -> float:
    """The most resident memory since `forget_peak`."""
    return _kib(pid, "status", "VmHWM") / KIB_A_MIB


def forget_peak(pid: int) -> None:
    """The peak begins anew."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def _kib(pid: int, file: str, field: str) -> int:
    for line in Path(f"/proc/{pid}/{file}").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1])
    raise LookupError(f"{file} has no {field}")


def client_core() -> int:
    """Where contenders run; servers have the last core, the same one if there is no other."""
    return min(os.sched_getaffinity(0))


CORES = frozenset(os.sched_getaffinity(0))
"""All that this run may use."""


@contextlib.contextmanager
def on(cores: Iterable[int]) -> Iterator[None]:
    """Keep this process, and what it starts in the block, on these cores."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
