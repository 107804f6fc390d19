"""Jobs that are over, as what counts them sees them."""

from types import SimpleNamespace
from typing import Any

from botod.daemon.gathering import Together
from botod.daemon.moved import Moved
from botod.pool import Terms
from support.compiled import needs_interpreted


def run_that_ended(
    service: str = "s3", name: str = "get_object", uid: int = 1, together: Together | None = None
) -> Any:
    """A job that is over: 2 attempts, 0.3 s until the first byte, 5 bytes of body."""
    needs_interpreted()  # a stand-in
    terms = Terms()
    terms.attempts_num = 2
    terms.times.first_byte_s = 0.3
    moved = Moved()
    moved.received_bytes = 5
    return SimpleNamespace(
        job=SimpleNamespace(service=service, name=name, terms=terms),
        sender=SimpleNamespace(uid=uid),
        moved=moved,
        together=together,
    )
