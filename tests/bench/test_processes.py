"""What processes use, by the kernel's word."""

import os
import subprocess
import sys
import time

from harness.processes import cpu_s, family, on, peak_mib, pss_mib, rss_mib

SPINS = """
import sys, time
while time.process_time() < 0.05: pass
print(time.process_time(), flush=True)
sys.stdin.read()
"""


def test_the_cpu_of_another_process_is_what_it_says_itself() -> None:
    """To the millisecond, where /proc has ticks of ten."""
    with subprocess.Popen([sys.executable, "-c", SPINS], stdin=-1, stdout=-1, text=True) as process:
        assert process.stdout is not None
        said = float(process.stdout.readline())
        assert said <= cpu_s(process.pid) < said + 0.02
        process.communicate("")


def test_a_process_is_in_its_own_family_with_its_children() -> None:
    """Those that its threads started, too."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=-1) as process:
        assert {os.getpid(), process.pid} <= set(family(os.getpid()))
        process.communicate(b"\n")


def test_memory_is_in_mib() -> None:
    """What is shared in part is no more than what is resident, that no more than its peak."""
    pid = os.getpid()
    assert 1 < pss_mib([pid]) <= rss_mib(pid) * 1.01 <= peak_mib(pid) * 1.02


def test_cores_are_given_back() -> None:
    """Whatever happens in the block."""
    before = os.sched_getaffinity(0)
    with on({min(before)}):
        assert os.sched_getaffinity(0) == {min(before)}
    assert os.sched_getaffinity(0) == before
    assert time.process_time() > 0
