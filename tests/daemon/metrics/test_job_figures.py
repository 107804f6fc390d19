"""Jobs in plain fields."""

import time
from types import SimpleNamespace
from typing import Any

import pytest

from botod.daemon.gathering import Together
from botod.daemon.metrics import job_figures
from botod.daemon.metrics.job_figures import JobFigures
from botod.daemon.moved import Moved
from botod.ipc.errors import Code, RpcError
from botod.pool import Terms

DENIED = RpcError(Code.ACCESS_DENIED, "no")


def run(
    service: str = "s3", name: str = "get_object", uid: int = 1, together: Together | None = None
) -> Any:
    """A job that is over: 2 attempts, 0.3 s until the first byte, 5 bytes of body."""
    terms = Terms()
    terms.attempts_num = 2
    terms.times.first_byte_s = 0.3
    return SimpleNamespace(
        job=SimpleNamespace(service=service, name=name, terms=terms),
        sender=SimpleNamespace(uid=uid),
        moved=Moved(received_bytes=5),
        together=together,
    )


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
