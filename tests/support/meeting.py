"""An answer that shows that requests are under way at once."""

import threading

from support.http_server import Exchange
from support.loops import BOUND_S


class Meeting:
    """Answers when so many requests are here: a caller that blocks keeps the others away."""

    def __init__(self, parties: int = 2) -> None:
        self._barrier = threading.Barrier(parties, timeout=BOUND_S / 2)

    def __call__(self, exchange: Exchange) -> None:
        try:
            self._barrier.wait()
        except threading.BrokenBarrierError:
            exchange.ok(b"the others did not come", status="500 Alone")
        else:
            exchange.ok(exchange.target.encode())
