"""What no log, error or status of a test may show: keys, tokens and signatures."""

import re
from collections.abc import Callable, Iterable

from botod.ipc.errors import RpcError

SECRET = re.compile(
    r"a-secret-key|demo-secret-key|given-(?:secret|token)|file%secret|backup-(?:secret|token)"
    r"|env-(?:secret|token)|Signature=(?!{)|(?i:X-Amz-Security-Token)|AWSAccessKeyId="
)
"""The keys that tests use, and the marks of a signature; `{`: a line of code in a stack."""

shown: list[str] = []
"""What errors showed since somebody looked."""


def secrets_in(lines: Iterable[str]) -> list[str]:
    """Those lines that show something."""
    return [line for line in lines if SECRET.search(line)]


def watch_errors() -> Callable[[], None]:
    """Look at each error of the wire that is made in this process; call the result to stop."""
    make = RpcError.__init__

    def watched(self: RpcError, code: int, message: str, data: object = None) -> None:
        make(self, code, message, data)  # type: ignore[arg-type]
        shown.extend(secrets_in([f"{message} {data}"]))

    RpcError.__init__ = watched  # type: ignore[assignment,method-assign]

    def stop() -> None:
        RpcError.__init__ = make  # type: ignore[method-assign]

    return stop
