"""What the commands that ask a daemon have in common: how they end when it does not answer well."""

import sys
from collections.abc import Callable

from botod.ipc.errors import DaemonUnavailable, RpcError

EXIT_FAILED = 1
EXIT_NO_DAEMON = 3

TIMEOUT_S = 10.0
"""For an answer that takes no job."""


def asked(ask: Callable[[], int]) -> int:
    """The status of `ask()`; its errors stand on standard error, a line each."""
    try:
        return ask()
    except DaemonUnavailable as error:
        sys.stderr.write(f"botod: {error}\n")
        return EXIT_NO_DAEMON
    except RpcError as error:
        sys.stderr.write(f"botod: {error}\n")
        return EXIT_FAILED
