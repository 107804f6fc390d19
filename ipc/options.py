"""What may be said of a request, for type checkers and people; requests.py checks it.

Nothing imports this when it runs: `typing` takes long to import.
"""

from typing import Literal, TypedDict


class Options(TypedDict, total=False):
    """What may be said of a request beside its params; None: as if it were not said.

    timeout_s: its deadline, 60 s by default, 900 s with a file or a stream. priority: -10 to 10;
    the caller's own jobs with the higher one go first. idempotency_key: the second request with it
    gets the first one's outcome. batch: False: an SQS message is sent by itself, though others may
    be sent to the queue at the same time. on_hangup: what becomes of it if this process goes away.
    """

    profile: str | None
    timeout_s: float | None
    priority: int | None
    idempotency_key: str | None
    batch: bool | None
    on_hangup: Literal["cancel", "finish"] | None
    traceparent: str | None
