"""Where boto would block the loop without a connection: its sleeps, its questions to the metadata.

boto's modules know `time` and `retry_url` by names of their own; those are replaced, never the
standard library's. Inside a greenlet they park; outside they are as ever.
"""

import asyncio
import sys
import time
from functools import partial
from typing import Any

from botod.pool import bridge

import boto.connection
import boto.utils


class _GreenletTime:
    """The `time` module as boto's modules see it: `sleep` parks where it can."""

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)

    @staticmethod
    def sleep(seconds: float) -> None:
        if bridge.in_greenlet():
            bridge.sleep(seconds)
        else:
            time.sleep(seconds)


_GREENLET_TIME = _GreenletTime()

_retry_url = boto.utils.retry_url


def retry_url(*args: Any, **kwargs: Any) -> Any:
    """boto's way to the metadata service, by urllib, with sleeps; in a thread for a greenlet."""
    if not bridge.in_greenlet():
        return _retry_url(*args, **kwargs)
    loop = asyncio.get_running_loop()
    return bridge.wait(loop.run_in_executor(None, partial(_retry_url, *args, **kwargs)))


def unblock_loaded() -> None:
    """Give all of boto's modules that were imported so far a `time` that parks.

    Besides the retry loop (up to a minute between tries), tables of DynamoDB and others sleep.
    """
    for name, module in list(sys.modules.items()):
        if name.startswith("boto.") and module.__dict__.get("time") is time:
            module.time = _GREENLET_TIME  # type: ignore[attr-defined]


boto.utils.retry_url = retry_url
unblock_loaded()
