"""What a job is at: told by where its greenlet is parked, so that nothing is noted for it."""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from types import FrameType

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


FUNCTIONS: Mapping[tuple[str, str], JobState] = {
    ("botod.pool.host_pool", "HostPool._wait_for_slot"): JobState.SLOT,
    ("botod.pool.bridge", "sleep"): JobState.RETRY,
    ("botod.daemon.claims", "Claim.told"): JobState.JOINED,
}
"""By module and function: the innermost of a stack that is here, or in a module below, tells."""

MODULES: Mapping[str, JobState] = {
    "botod.daemon.refresher": JobState.KEYS,
    "botod.daemon.gathering": JobState.TOGETHER,
    "botod.pool.response": JobState.WIRE,
    "botod.pool.connection": JobState.WIRE,
    "botod.pool.crew": JobState.PARTS,
    "botod.daemon.file_threads": JobState.FILE,
    "botod.daemon.bodies": JobState.PEER,
    "botod.daemon.pipes": JobState.PEER,
}


def state_of(run: Run, *, is_paused: bool) -> JobState:
    """What a job is at. is_paused: that no requests of its profile go out."""
    if run.is_streaming:
        return JobState.STREAMING
    frame = run.future.frame
    if frame is None:
        return JobState.STARTING
    state = next(filter(None, map(_told, _outwards(frame))), JobState.WORKING)
    return JobState.PAUSED if is_paused and state is JobState.SLOT else state


def _outwards(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _told(frame: FrameType) -> JobState | None:
    module = frame.f_globals.get("__name__", "")
    return FUNCTIONS.get((module, frame.f_code.co_qualname)) or MODULES.get(module)
