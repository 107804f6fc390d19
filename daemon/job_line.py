"""The line that the log has about each job. Nothing of its params: those are the users'."""

from botod.daemon.gathering import Together
from botod.daemon.job import Job
from botod.daemon.moved import Moved
from botod.ipc.errors import Code, RpcError


def job_line(
    job: Job,
    moved: Moved,
    error: RpcError | None,
    took_s: float,
    together: Together | None = None,
) -> str:
    """What it was, how it went, how much it moved, and how it travelled with others."""
    parts = [
        f"job {job.method} {_word(error)}",
        f"attempts={job.terms.attempts_num}",
        f"took_ms={took_s * 1000:.1f}",
    ]
    if together is not None:
        parts += [f"batch_entry={together.entry}", f"batch_size={together.size}"]
    if moved.sent_bytes:
        parts.append(f"sent_bytes={moved.sent_bytes}")
    if moved.received_bytes:
        parts.append(f"received_bytes={moved.received_bytes}")
    if job.options.traceparent is not None:
        parts.append(f"traceparent={job.options.traceparent}")
    return " ".join(parts)


def _word(error: RpcError | None) -> str:
    """How it went, in a word."""
    if error is None:
        return "ok"
    if error.code == Code.CANCELLED:
        return "cancelled"
    return (
        "failed" if error.code == Code.INTERNAL_ERROR else str(error.data.get("type", error.code))
    )
