"""What was done in the last minutes."""

import time
from itertools import count
from typing import Any

import pytest

from botod.daemon.merging import merged
from botod.daemon.metrics import history, job_figures
from botod.daemon.metrics.history import SAMPLES_MAX, STEP_S, History
from botod.daemon.metrics.job_figures import JobFigures
from botod.ipc.errors import Code, RpcError
from support.loops import run, until
from support.runs import run_that_ended

FAILED = RpcError(Code.UNREACHABLE, "no")


class Clock:
    """Seconds since the epoch, as a test says."""

    def __init__(self, at_s: float) -> None:
        self.at_s = at_s

    def __call__(self) -> float:
        return self.at_s


def noted(at_s: float, *took_s: float) -> dict[str, Any]:
    """A worker's history that has a single sample: of jobs that took so long."""
    figures = JobFigures()
    kept = History(figures, Clock(at_s))
    for one in took_s:
        figures.ended(run_that_ended(), None, one)
    kept.sample()
    return {"history": kept.plain()}


def test_a_sample_is_what_was_done_since_the_last_one() -> None:
    """Jobs, those that failed, and how long they took; intervals without any are left out."""
    figures, clock = JobFigures(), Clock(1000.0)
    kept = History(figures, clock)
    figures.ended(run_that_ended(), None, 0.004)
    figures.ended(run_that_ended(), FAILED, 0.02)
    figures.refused("s3.get_object", 1, FAILED)
    kept.sample()
    clock.at_s = 1005.01
    kept.sample()
    clock.at_s = 1009.99  # a timer may come a little early
    figures.ended(run_that_ended(), None, 0.004)
    kept.sample()
    took = {"0.005": 1, "0.025": 1}
    assert kept.plain() == [
        {"at_s": 1000, "jobs_num": 3, "failed_num": 2, "took_s": 0.024, "took_by_s": took},
        {"at_s": 1010, "jobs_num": 1, "failed_num": 0, "took_s": 0.004, "took_by_s": {"0.005": 1}},
    ]


def test_it_is_bounded() -> None:
    """15 minutes: what is older is forgotten."""
    figures, clock = JobFigures(), Clock(0.0)
    kept = History(figures, clock)
    for clock.at_s in range(STEP_S, STEP_S * (SAMPLES_MAX + 4), STEP_S):
        figures.ended(run_that_ended(), None, 0.004)
        kept.sample()
    samples = kept.plain()
    assert len(samples) == SAMPLES_MAX
    assert samples[-1]["at_s"] - samples[0]["at_s"] == 15 * 60 - STEP_S
    assert samples[-1]["at_s"] == STEP_S * (SAMPLES_MAX + 3)


def test_those_of_workers_are_added_up() -> None:
    """By the time; of one that told nothing of a time the other's stand alone."""
    found = merged([noted(1000.0, 0.004), noted(1000.1, 0.004, 0.02), noted(1005.0, 0.1)])
    assert [(one["at_s"], one["jobs_num"], one["took_by_s"]) for one in found["history"]] == [
        (1000, 3, {"0.005": 2, "0.025": 1}),
        (1005, 1, {"0.1": 1}),
    ]


def test_a_sample_is_cheap() -> None:
    """Under a millisecond of the loop, though there are as many series as there may be."""
    figures = JobFigures()
    names, uids = count(), count()
    for _ in range(job_figures.OPERATIONS_MAX):
        figures.ended(run_that_ended(name=f"get_{next(names)}"), None, 0.01)
    while sum(len(one.counts) for one in figures._all()) < job_figures.SERIES_MAX:
        uid = next(uids)
        for number in range(job_figures.OPERATIONS_MAX):
            figures.ended(run_that_ended(name=f"get_{number}", uid=uid), FAILED, 0.01)
    kept = History(figures)
    began = time.thread_time()
    for _ in range(20):
        kept.sample()
    assert (time.thread_time() - began) / 20 < 0.001


def test_it_samples_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """From when it is started until it is stopped; which it may be before."""
    monkeypatch.setattr(history, "STEP_S", 0.01)

    async def main() -> None:
        figures = JobFigures()
        kept = History(figures)
        kept.stop()
        kept.start()
        figures.ended(run_that_ended(), None, 0.004)
        await until(kept.plain)
        kept.stop()

    run(main)
