"""Jobs in plain fields."""

import time
from typing import Any

import pytest

from botod.daemon.gathering import Together
from botod.daemon.metrics import job_figures
from botod.daemon.metrics.job_figures import JobFigures
from botod.ipc.errors import Code, RpcError
from support.runs import run_that_ended as run

DENIED = RpcError(Code.ACCESS_DENIED, "no")


def counts(figures: JobFigures) -> dict[tuple[str, ...], int]:
    """By service, operation, outcome and user."""
    return {tuple(labels): number for *labels, number in figures.plain()["counts"]}


def test_a_job_is_counted_by_what_it_was() -> None:
    """With its user and its outcome; what it took, moved and tried by its service."""
    figures = JobFigures()
    figures.ended(run(), None, 0.4)
    figures.ended(run(), None, 0.6)
    figures.ended(run(uid=2), RpcError(Code.UNREACHABLE, "no"), 1.0)
    assert counts(figures) == {
        ("s3", "get_object", "ok", "1"): 2,
        ("s3", "get_object", "unreachable", "2"): 1,
    }
    ((service, name, whole),) = figures.plain()["whole"]
    assert (service, name, whole["total"], sum(whole["counts"])) == ("s3", "get_object", 2.0, 3)
    of_s3 = figures.plain()["services"]["s3"]
    assert (of_s3["attempts_total"], of_s3["received_bytes"], of_s3["sent_bytes"]) == (6, 15, 0)
    assert of_s3["phases"]["first_byte"]["total"] == pytest.approx(0.9)
    assert of_s3["phases"]["queue"]["total"] == 0.0


def test_a_job_that_sent_nothing_has_no_phases() -> None:
    """Joined to another worker's, or refused by its own pool: it would draw them to nought."""
    figures, idle = JobFigures(), run()
    idle.job.terms.attempts_num = 0
    figures.ended(idle, None, 0.1)
    assert sum(figures.plain()["services"]["s3"]["phases"]["body"]["counts"]) == 0


def test_a_batch_is_counted_once() -> None:
    """By its first job."""
    figures = JobFigures()
    for entry in range(3):
        figures.ended(run("sqs", "send_message", together=Together(entry, 3)), None, 0.1)
    batches = figures.plain()["services"]["sqs"]["batches"]
    assert (sum(batches["counts"]), batches["total"]) == (1, 3.0)


def test_what_a_peer_says_makes_no_series() -> None:
    """A refused request has its operation's name only if that is known to be one."""
    figures = JobFigures()
    figures.refused("s3.get_object", 1, DENIED)
    for number in range(1000):
        figures.refused(f"s3.secret_{number}", 1, DENIED)
    figures.refused("no dot at all", 1, DENIED)
    assert counts(figures) == {
        ("s3", "get_object", "access_denied", "1"): 1,
        ("other", "other", "access_denied", "1"): 1001,
    }


def test_so_many_operations_are_told_apart() -> None:
    """The rest is counted together, and those that came first go on by themselves."""
    figures = JobFigures()
    for number in range(job_figures.OPERATIONS_MAX + 10):
        figures.ended(run("ec2", f"op_{number}"), None, 0.1)
    figures.ended(run("ec2", "op_0"), None, 0.1)
    found = counts(figures)
    assert len(found) == job_figures.OPERATIONS_MAX + 1
    assert found["other", "other", "ok", "1"] == 10
    assert found["ec2", "op_0", "ok", "1"] == 2


def test_so_many_users_are_told_apart() -> None:
    """The rest is counted together."""
    figures = JobFigures()
    for uid in range(job_figures.UIDS_MAX + 10):
        figures.ended(run(uid=uid), None, 0.1)
        figures.ended(run(uid=uid), None, 0.1)
    found = counts(figures)
    assert len(found) == job_figures.UIDS_MAX + 1
    assert found["s3", "get_object", "ok", "other"] == 20
    assert found["s3", "get_object", "ok", "0"] == 2


def test_so_many_series_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of all together; beyond, outcomes alone are told apart, and no job is lost."""
    monkeypatch.setattr(job_figures, "SERIES_MAX", 10)
    figures = JobFigures()
    for uid in range(10):
        figures.ended(run(uid=uid), None, 0.1)
        figures.ended(run(uid=uid), DENIED, 0.1)
    found = counts(figures)
    assert len(found) == 12
    assert found["other", "other", "ok", "other"] == 5
    assert found["other", "other", "access_denied", "other"] == 5
    assert sum(found.values()) == 20


def test_counting_is_cheap() -> None:
    """1.2 us of CPU a job here; a bound that a slow machine keeps, and labels() would not."""
    figures, job = JobFigures(), run()
    best_s = min(_cpu_s(figures, job) for _ in range(5))
    assert best_s < 10e-6


def _cpu_s(figures: JobFigures, job: Any) -> float:
    began = time.thread_time()
    for _ in range(2000):
        figures.ended(job, None, 0.2)
    return (time.thread_time() - began) / 2000


def test_what_a_status_tells_of_operations() -> None:
    """Of all users together; what was refused took no time."""
    figures = JobFigures()
    figures.ended(run(), None, 0.4)
    figures.ended(run(uid=2), DENIED, 0.004)
    figures.refused("s3.get_object", 3, DENIED)
    figures.refused("<b>.x", 3, DENIED)
    assert figures.operations() == [
        {
            "operation": "s3.get_object",
            "jobs_total": 3,
            "failed_total": 2,
            "took_s_total": pytest.approx(0.404),
            "took_by_s": {"0.5": 1, "0.005": 1},
        },
        {
            "operation": "other",
            "jobs_total": 1,
            "failed_total": 1,
            "took_s_total": 0.0,
            "took_by_s": {},
        },
    ]
    totals = figures.totals()
    assert (totals.jobs, totals.failed, sum(totals.took)) == (4, 3, 2)


def test_the_errors_that_came_last() -> None:
    """By operation and outcome, the newest first; of so many kinds at most."""
    now = iter((100.0, 107.0, 109.0, 110.0))
    figures = JobFigures(lambda: next(now))
    figures.ended(run(), DENIED, 0.1)
    figures.ended(run(uid=2), DENIED, 0.1)
    figures.ended(run(), None, 0.1)
    figures.refused("s3.get_object", 1, RpcError(Code.OVERLOADED, "no"))
    assert figures.errors() == [
        {
            "operation": "s3.get_object",
            "outcome": "overloaded",
            "errors_total": 1,
            "newest_age_s": 1.0,
        },
        {
            "operation": "s3.get_object",
            "outcome": "access_denied",
            "errors_total": 2,
            "newest_age_s": 3.0,
        },
    ]


def test_kinds_of_errors_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """In what is told; and one beyond the series is another's, with its time."""
    monkeypatch.setattr(job_figures, "ERRORS_MOST", 2)
    monkeypatch.setattr(job_figures, "SERIES_MAX", 4)
    now = iter(range(100))
    figures = JobFigures(lambda: float(next(now)))
    for number in range(5):
        figures.ended(run(name=f"get_{number}"), DENIED, 0.1)
    newest, before = figures.errors()
    assert (newest["operation"], newest["newest_age_s"]) == ("other", 1.0)
    assert (before["operation"], before["newest_age_s"]) == ("s3.get_3", 2.0)
