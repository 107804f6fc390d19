"""The daemon's own methods by name: what they are on the shared socket, and on a control socket."""

from collections.abc import Callable, Mapping
from typing import Any

from botod.daemon.colleagues import Colleagues
from botod.daemon.config import Config
from botod.daemon.console import Console, Deed
from botod.daemon.control import Hello, answered_later, who, without_params
from botod.daemon.gates import Gates
from botod.daemon.holding import Holding
from botod.daemon.killing import Ids, Killing
from botod.daemon.metrics.admin import METHOD as METRICS
from botod.daemon.metrics.snapshot import Snapshot
from botod.daemon.restarting import Restarting
from botod.daemon.services.operation import Params
from botod.daemon.services.shapes import Flag, Struct
from botod.daemon.showing import Showing
from botod.daemon.status import Status
from botod.daemon.upstreams import Upstreams
from botod.daemon.worker import Control, Worker
from botod.ipc.server import Server
from botod.pool import Pool

GATES = "botod.gates"
"""What a worker asks the others as it begins; on control sockets only."""

STATUS = Struct({}, {"history": Flag()})


class OwnMethods:
    """Those of one worker.

    colleagues: the other workers; None: there are none. of_all: on the shared socket; own: those
    that are another thing on a control socket.
    """

    def __init__(
        self,
        deeds: Mapping[str, Deed],
        *,
        hello: Hello,
        status: Status,
        snapshot: Snapshot,
        gates: Gates,
        restarting: Restarting,
        number: int,
        colleagues: Colleagues | None,
    ) -> None:
        self._status = status
        self._colleagues = colleagues
        console = Console(deeds, number=number, colleagues=colleagues)
        self.of_all: dict[str, Control] = {
            "botod.hello": hello,
            "botod.ping": without_params(who),
            "botod.restart": answered_later(restarting.of_all),
            "botod.status": answered_later(self._status_of_all, STATUS),
            **console.of_all,
        }
        self.own: dict[str, Control] = {
            "botod.restart": answered_later(restarting.own),
            "botod.status": answered_later(self._own_status, STATUS),
            GATES: without_params(gates.told),
            METRICS: answered_later(lambda _params: snapshot()),
            **console.own,
        }

    async def _own_status(self, params: Params) -> dict[str, Any]:
        return self._teller(params)()

    async def _status_of_all(self, params: Params) -> dict[str, Any]:
        if self._colleagues is None:
            return await self._own_status(params)
        return await self._colleagues.status(self._teller(params), params)

    def _teller(self, params: Params) -> Callable[[], dict[str, Any]]:
        return self._status.whole if params.get("history") else self._status


def deeds_on(
    worker: Worker,
    *,
    server: Server,
    pool: Pool,
    upstreams: Upstreams,
    gates: Gates,
    ids: Ids,
    config: Callable[[], Config],
    read_config: Callable[[], Config],
) -> dict[str, Deed]:
    """An administrator's methods that are about one worker's parts. ids: of its jobs and peers.

    config: gives what holds; read_config: the file as it is now, and may block.
    """
    showing = Showing(
        ids=ids,
        worker=worker,
        server=server,
        pool=pool,
        upstreams=upstreams,
        gates=gates,
        config=config,
        read_config=read_config,
    )
    return {
        **Holding(gates, pool, worker.roll, lambda: upstreams.profiles).deeds(),
        "botod.kill": Killing(worker.roll, server, ids).deed(),
        "botod.show": showing.deed(),
    }
