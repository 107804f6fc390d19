"""Keeps some sockets to a host open over quiet spells, so that the next burst finds them warm.

AWS closes an idle connection after some 20 s, and a new one costs three or four round trips. curl
keeps what is there; this opens what is missing, in the background: each with an unsigned `HEAD /`,
which a service answers with an error that nobody reads and that costs nothing.
"""

import asyncio

from botod.pool.bridge import spawn_until
from botod.pool.client import IDLE_CONNECTION_S
from botod.pool.errors import PoolClosed
from botod.pool.failures import failure_error
from botod.pool.origin import Origin
from botod.pool.pool import Pool
from botod.pool.request import Request
from botod.pool.response import HTTPResponse, wait_for_change

CHECK_S = 5.0
"""How often is looked: a quarter of what AWS leaves an idle connection."""

WARM_S = IDLE_CONNECTION_S - 2 * CHECK_S
"""A socket that was idle for longer is used: soon curl would not take it any more."""

LONGEST_PAUSE_S = 60.0
"""Between tries while none can be opened; each pause is twice the one before."""

OPEN_TIMEOUT_S = 10.0
"""For a slot, the connection and the answer: who has work to do comes first."""


async def keep_warm(pool: Pool, origin: Origin, sockets_num: int) -> None:
    """Run until cancelled, or until the pool is closed: `asyncio.create_task(keep_warm(…))`.

    sockets_num: how many sockets to `origin` there should be at least; at most as many as slots.
    """
    pause_s = CHECK_S
    while True:
        warm_num = pool.client.sockets.warm_num(origin, within_s=WARM_S)
        # One that was idle for long is used, and so warm again, or closed if curl finds it too old.
        # To ask for a new one instead would leave it there, and another one every minute.
        anew = pool.client.socket_stats(origin).open_num == warm_num
        deadline = asyncio.get_running_loop().time() + OPEN_TIMEOUT_S
        opened = await asyncio.gather(
            *(
                spawn_until(deadline, _open, pool, origin, anew=anew)
                for _ in range(sockets_num - warm_num)
            ),
            return_exceptions=True,
        )
        failures = [outcome for outcome in opened if isinstance(outcome, Exception)]
        if any(isinstance(failure, PoolClosed) for failure in failures):
            return
        pause_s = min(2 * pause_s, LONGEST_PAUSE_S) if failures else CHECK_S
        await asyncio.sleep(pause_s)


def _open(pool: Pool, origin: Origin, *, anew: bool) -> None:
    """Use a socket, a new one or whichever curl takes, and leave it to whoever comes next."""
    request = Request("HEAD", origin, "/", (f"Host: {origin.authority}".encode(),))
    transfer = pool.start(request, anew=anew)
    while not transfer.ended and not transfer.answered:
        wait_for_change(pool, transfer, idempotent=True)
    if not transfer.answered:
        raise failure_error(transfer, idempotent=True)
    HTTPResponse(pool, transfer, idempotent=True).read()
