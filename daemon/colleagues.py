"""The workers of a host, as one of them sees the others: asked over their control sockets.

Each worker listens at `worker-K.sock` in the runtime directory, for its own user and root alone.
Who asks any of them over the shared socket for its status gets that of all.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any

from botod.daemon.listener import SocketInUse, open_listener, remove_socket
from botod.daemon.merging import merged
from botod.daemon.share import Share, control_path
from botod.ipc.aio import connect
from botod.ipc.errors import DaemonUnavailable, RpcError
from botod.ipc.exchange import Handler, OnRefused
from botod.ipc.limits import ServerLimits
from botod.ipc.server import Server

logger = logging.getLogger(__name__)

ASK_TIMEOUT_S = 2.0
"""For one worker's answer, beside what it takes by itself: one that is stuck is named."""

OPEN_TRIES = 100
OPEN_PAUSE_S = 0.05
"""The worker that had this number before lets go of the socket as it begins to stop: 5 seconds."""

CONTROL_LIMITS = ServerLimits(peers=64, peers_per_uid=64, in_flight_per_uid=256)
"""Of the control socket: the other workers and an administrator or two."""


class Colleagues:
    """A worker's control socket, and its way to the others'.

    handler: answers what is asked on the control socket, of this worker alone. on_refused: hears of
    what never comes to it.
    """

    def __init__(
        self, folder: str, share: Share, handler: Handler, *, on_refused: OnRefused | None = None
    ) -> None:
        self._folder = folder
        self._share = share
        self._path = control_path(folder, share.number)
        self._server = Server(handler, CONTROL_LIMITS, on_refused=on_refused)

    async def open(self) -> None:
        """Listen on the control socket. Raises SocketInUse."""
        for _ in range(OPEN_TRIES - 1):
            try:
                self._server.listen(open_listener(self._path, 0o600))
            except SocketInUse:
                await asyncio.sleep(OPEN_PAUSE_S)
            else:
                return
        self._server.listen(open_listener(self._path, 0o600))

    def leave(self) -> None:
        """Let go of the control socket's name; connections go on."""
        remove_socket(self._path)  # first: once nobody listens, the next one makes its own there
        self._server.stop_listening()

    async def close(self) -> None:
        await self._server.close(timeout_s=0)

    async def status(
        self, own: Callable[[], Mapping[str, Any]], params: Mapping[str, Any]
    ) -> dict[str, Any]:
        """The merged status of all workers that answer; `workers` has a few figures of each.

        `silent` names the others. params: what they are asked with; own: gives the like.
        """
        answers, silent = await self.ask("botod.status", params)
        statuses = [own(), *answers]
        workers = sorted(map(_figures, statuses), key=_number)
        whole = await asyncio.to_thread(merged, statuses)  # 6 ms with the last minutes
        return whole | {"workers": workers, "silent": silent}

    async def ask(
        self,
        method: str,
        params: Mapping[str, Any],
        *,
        takes_s: float = 0.0,
        level: int = logging.INFO,
    ) -> tuple[list[Any], list[dict[str, Any]]]:
        """What the other workers answer, and which do not: `{"worker": number, "why": text}` each.

        takes_s: how long the method may take by itself. level: at which the log has those that do
        not.
        """
        others = [one for one in range(self._share.workers_num) if one != self._share.number]
        timeout_s = takes_s + ASK_TIMEOUT_S
        found = await asyncio.gather(*(self._ask(one, method, params, timeout_s) for one in others))
        answers = [answer for answer, why in found if not why]
        silent = [
            {"worker": one, "why": why}
            for one, (_answer, why) in zip(others, found, strict=True)
            if why
        ]
        for one in silent:
            words = "worker %d does not answer %s: %s"
            logger.log(level, words, one["worker"], method, one["why"])
        return answers, silent

    async def _ask(
        self, number: int, method: str, params: Mapping[str, Any], timeout_s: float
    ) -> tuple[Any, str]:
        """One worker's answer, or else why there is none."""
        try:
            async with asyncio.timeout(timeout_s):
                async with await connect(control_path(self._folder, number)) as connection:
                    return await connection.call(method, params, timeout_s=timeout_s), ""
        except (DaemonUnavailable, RpcError, TimeoutError) as error:
            return None, str(error) or "no answer"


def _figures(status: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "number": status["worker"],
        "pid": status["pid"],
        "is_leader": status["is_leader"],
        "uptime_s": status["uptime_s"],
        "peers_num": len(status["peers"]),
        "running_num": status["jobs"]["running_num"],
    }


def _number(figures: Mapping[str, Any]) -> int:
    number: int = figures["number"]
    return number
