"""`botod.kill`: what an administrator ends, by its id.

j0-17 is the 17th job of worker 0, p1-3 the third connection of worker 1. Numbers begin anew with a
worker that comes in another's place.
"""

import re
from collections.abc import Mapping
from typing import Any

from botod.daemon.console import Deed
from botod.daemon.roll import Roll
from botod.daemon.services.operation import Params
from botod.daemon.services.shapes import Struct, Text
from botod.ipc.errors import Code, RpcError
from botod.ipc.server import Server

ID = re.compile(r"(?P<kind>[jp])(?P<worker>[0-9]{1,3})-(?P<number>[0-9]{1,18})")

SHAPE = Struct({
    "id": Text(pattern=ID.pattern, allowed="has to be a job's or a peer's id: j0-17, p0-3")
})


def job_id(worker: int, number: int) -> str:
    """A job's, over all workers."""
    return f"j{worker}-{number}"


def peer_id(worker: int, number: int) -> str:
    """A connection's, over all workers."""
    return f"p{worker}-{number}"


class Killing:
    """Ends jobs and connections of this worker, the one of this number; knows nobody else's."""

    def __init__(self, roll: Roll, server: Server, *, worker: int) -> None:
        self._roll = roll
        self._server = server
        self._worker = worker

    def deed(self) -> Deed:
        return Deed(self._kill, SHAPE)

    async def _kill(self, params: Params) -> Mapping[str, Any]:
        """`killed`: whether there was such a one here."""
        found = ID.fullmatch(params["id"])
        assert found is not None, "the shape has read it"
        kind, number = found["kind"], int(found["number"])
        if int(found["worker"]) != self._worker:
            return {"killed": False}
        return {"killed": self._kill_job(number) if kind == "j" else self._hang_up(number)}

    def _kill_job(self, number: int) -> bool:
        run = self._roll.find(number)
        if run is None:
            return False
        run.kill()
        return True

    def _hang_up(self, number: int) -> bool:
        error = RpcError(Code.CANCELLED, "an administrator closed the connection")
        return self._server.end(number, error)
