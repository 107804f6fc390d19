"""Exceptions on their way out of a greenlet, to whoever keeps them for however long."""

import contextlib
import inspect
from types import TracebackType

CHAIN_MAX = 16
"""Chained exceptions whose frames are let go; real chains have two or three."""

NOT_A_CALL = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR
"""Code whose frames may go on after an error came through them."""


def carried(error: BaseException) -> BaseException:
    """Make an exception fit to be kept: let its frames go, and with them the leases they hold.

    Whoever keeps the exception keeps its traceback, whose frames keep their local variables: a
    connection there would hold its slot until the exception is forgotten. File and line stay.
    """
    link: BaseException | None = error
    for _ in range(CHAIN_MAX):
        if link is None:
            break
        _clear_frames(link.__traceback__)
        link = link.__cause__ or link.__context__
    if isinstance(error, StopIteration):  # a future refuses to hold one
        told = RuntimeError("the spawned function raised StopIteration")
        told.__cause__ = error
        return told
    return error


def _clear_frames(trace: TracebackType | None) -> None:
    """`traceback.clear_frames`, but for coroutines and generators, which it would end if parked."""
    while trace is not None:
        frame = trace.tb_frame
        if not frame.f_code.co_flags & NOT_A_CALL:
            with contextlib.suppress(RuntimeError):  # it still runs
                frame.clear()
        trace = trace.tb_next
