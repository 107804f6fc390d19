"""The daemon's worker in the test's own process, with nothing between it and the test."""

import contextlib
import os
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

from botod.daemon.credentials import Keys
from botod.daemon.gates import Gates
from botod.daemon.intake import Intake
from botod.daemon.joins import Joins
from botod.daemon.ledger import Ledger
from botod.daemon.open_uploads import OpenUploads
from botod.daemon.policy import Policy
from botod.daemon.profile_settings import ProfileSettings
from botod.daemon.runs import Run
from botod.daemon.upstreams import Upstreams
from botod.daemon.worker import Worker
from botod.ipc.exchange import Sender
from botod.ipc.framing import MAX_INLINE_BYTES
from botod.pool import Pool
from support.exchanges import Peer
from support.loops import BOUND_S
from support.pools import KEYS, open_pool

SENDER = Sender(pid=os.getpid(), uid=os.geteuid(), gid=os.getegid(), connection_id=1)


@dataclass
class Jobs:
    """A worker over a pool."""

    pool: Pool
    worker: Worker
    ledger: Ledger
    upstreams: Upstreams
    gates: Gates

    async def do(self, method: str, timeout_s: float = 20.0, **params: Any) -> Any:
        """Have one job done: its result, or its RpcError raised."""
        peer = Peer(method, params, sender=SENDER, options={"timeout_s": timeout_s})
        return await peer.ask(self.worker.handle).result()


@contextlib.asynccontextmanager
async def open_worker(
    endpoints: Mapping[str, str],
    *,
    retries: int = 1,
    sqs_batching: bool = True,
    **pool_options: Any,
) -> AsyncIterator[Jobs]:
    """A worker whose pool has to be empty at the end, counted from outside (see open_pool)."""
    async with open_pool(**pool_options) as pool:
        profile = ProfileSettings(retries=retries, endpoints=endpoints, sqs_batching=sqs_batching)
        uploads = OpenUploads()
        upstreams = Upstreams(
            pool,
            {"default": profile},
            lambda _name, _settings: Keys(*KEYS),
            uploads=uploads,
        )
        ledger, gates = Ledger(), Gates(pool)
        worker = Worker(
            upstreams,
            Policy(),
            Intake(timeout_s=20.0, timeout_max_s=60.0),
            Joins[Run](remember_s=600),
            control={},
            ledger=ledger,
            gates=gates,
            jobs_max=1000,
            inline_bytes=MAX_INLINE_BYTES,
            unread_timeout_s=BOUND_S,
        )
        yield Jobs(pool, worker, ledger, upstreams, gates)
        await uploads.close()
