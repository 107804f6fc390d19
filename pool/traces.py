"""What each request came to, for whoever keeps account of all of them.

A trace is made as a transfer gets its slot, and lies with the terms of its job until somebody has
told of it. A request that nobody tells of is told by itself when its trace is forgotten: one that
was made for no job, or that outlived the jobs it was for.
"""

import itertools
from collections.abc import Callable
from weakref import WeakSet

NAMES = (b"x-amz-request-id:", b"x-amzn-requestid:", b"x-amzn-request-id:")
"""Headers by which AWS calls a request, in lower case."""

MAX_ID = 200
"""Characters of such a name that are kept; AWS's have 36."""


class Trace:
    """One request.

    number: among this process's. is_sent: its sending began, so that the server may have seen it.
    status: of its answer; 0: none came. request_id: what the server calls it. is_told: somebody has
    taken account of it.
    """

    __slots__ = (
        "__weakref__", "_untold", "is_sent", "is_told", "method", "number", "origin", "request_id",
        "status",
    )  # fmt: skip

    def __init__(
        self, number: int, method: str, origin: object, untold: Callable[["Trace"], None]
    ) -> None:
        self.number = number
        self.method = method
        self.origin = origin
        self.is_sent = False
        self.is_told = False
        self.status = 0
        self.request_id = ""
        self._untold = untold

    def __repr__(self) -> str:
        return f"<Trace {self.number} {self.method} {self.origin} {self.status}>"

    def __del__(self) -> None:
        self.tell()

    def tell(self) -> None:
        """Have it told of by itself, if it was sent, and nobody else has."""
        if self.is_sent and not self.is_told:
            self.is_told = True
            self._untold(self)

    def answered(self, status: bytes, head: list[bytes]) -> None:
        """The head of the answer is here, line by line."""
        self.status = int(status) if status.isdigit() else 0
        for line in head:
            if line[:5].lower() == b"x-amz" and line.lower().startswith(NAMES):
                self.request_id = line.partition(b":")[2].strip().decode("latin-1")[:MAX_ID]
                return


class Tracing:
    """Makes the traces of one process. untold: hears of those nobody told of, in any thread."""

    def __init__(self, untold: Callable[[Trace], None]) -> None:
        self._untold = untold
        self._numbers = itertools.count(1)
        self._traces: WeakSet[Trace] = WeakSet()

    def trace(self, method: str, origin: object) -> Trace:
        trace = Trace(next(self._numbers), method, origin, self._untold)
        self._traces.add(trace)
        return trace

    def tell_rest(self) -> None:
        """Have those told of that nobody told of, and that something still holds: at the end."""
        for trace in sorted(self._traces, key=lambda trace: trace.number):
            trace.tell()
