"""Where boto would hold up the loop without a connection: sleeps, metadata, its configuration.

boto's modules know `time` and `retry_url` by names of their own; those are replaced, never the
standard library's. Inside a greenlet they park; outside they are as ever.

boto's loop asks its configuration for settings that hardly anybody has set. ConfigParser says so by
an exception that boto catches, which takes as long as signing; it is asked first whether the
setting is there.
"""

import sys
import time
from typing import Any

from botod.pool import bridge, detours

import boto.connection
import boto.utils
from boto.pyami.config import Config


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
    return bridge.in_thread(lambda: _retry_url(*args, **kwargs))


def unblock_loaded() -> None:
    """Give all of boto's modules that were imported so far a `time` that parks.

    Besides the retry loop (up to a minute between tries), tables of DynamoDB and others sleep.
    What cannot park is refused: `detours`.
    """
    detours.guard_loaded()
    for name, module in list(sys.modules.items()):
        if name.startswith("boto.") and module.__dict__.get("time") is time:
            module.time = _GREENLET_TIME  # type: ignore[attr-defined]


class _QuickConfig(Config):  # type: ignore[misc]
    """boto's configuration, quick to say that it does not have a setting."""

    def get(self, section: str, name: str, default: Any = None) -> Any:
        return super().get(section, name, default) if self.has_option(section, name) else default

    def getint(self, section: str, name: str, default: Any = 0) -> int:
        has = self.has_option(section, name)
        return int(super().getint(section, name, default) if has else default)


boto.utils.retry_url = retry_url
boto.config.__class__ = _QuickConfig
unblock_loaded()
