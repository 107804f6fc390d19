"""What a job is at: told by what its greenlet says that it parks for."""

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING

from botod.pool import parked

if TYPE_CHECKING:
    from botod.daemon.runs import Run


class JobState(StrEnum):
    """What a job waits for."""

    MODEL = "waits for its model"
    STARTING = "starting"
    KEYS = "waits for keys"
    JOINED = "waits for a job with its key"
    TOGETHER = "travels with others"
    SLOT = "waits for a slot"
    PAUSED = "paused"
    WIRE = "on the wire"
    RETRY = "between tries"
    PARTS = "waits for its parts"
    FILE = "reads or writes a file"
    PEER = "waits for its peer"
    STREAMING = "streams its answer"
    WORKING = "working"


OF_POOL: Mapping[str | None, JobState] = {
    None: JobState.STARTING,  # or at work, if it is the one that asks
    parked.SLOT: JobState.SLOT,
    parked.ANSWER: JobState.WIRE,
    parked.PAUSE: JobState.RETRY,
    parked.PARTS: JobState.PARTS,
}
"""By what the pool's functions say that they park for; the daemon's say a state."""


def state_of(run: "Run", *, is_paused: bool) -> JobState:
    """What a job is at. is_paused: that no requests of its profile go out."""
    if run.is_streaming:
        return JobState.STREAMING
    waits_for = run.future.waits_for
    if isinstance(waits_for, JobState):
        return waits_for
    state = OF_POOL.get(waits_for, JobState.WORKING)
    return JobState.PAUSED if is_paused and state is JobState.SLOT else state
