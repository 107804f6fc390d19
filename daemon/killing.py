"""`botod.kill`: what an administrator ends, by its id.

j0-3f2a-17 is the 17th job of worker 0, p1-90c4-3 the third connection of worker 1. What stands in
the middle is another for each process: numbers begin anew with a worker that comes in another's
place, and who read an id before would end what was not meant.
"""

import os
import re
from collections.abc import Mapping
from typing import Any

from botod.daemon.console import Deed
from botod.daemon.roll import Roll
from botod.daemon.services.operation import Params
from botod.daemon.services.shapes import Struct, Text
from botod.ipc.errors import Code, RpcError
from botod.ipc.server import Server

ID = re.compile(r"(?P<kind>[jp])(?P<process>[0-9]{1,3}-[0-9a-f]{4})-(?P<number>[0-9]{1,18})")

SHAPE = Struct({
    "id": Text(
        pattern=ID.pattern, allowed="has to be a job's or a peer's id: j0-3f2a-17, p0-3f2a-3"
    )
})


class Ids:
    """What this process's jobs and connections are called, over all workers. worker: its number."""

    def __init__(self, worker: int) -> None:
        self.worker = worker
        self.process = f"{worker}-{os.urandom(2).hex()}"

    def job(self, number: int) -> str:
        return f"j{self.process}-{number}"

    def peer(self, number: int) -> str:
        return f"p{self.process}-{number}"


class Killing:
    """Ends jobs and connections of this process, whose ids these are; knows nobody else's."""

    def __init__(self, roll: Roll, server: Server, ids: Ids) -> None:
        self._roll = roll
        self._server = server
        self._ids = ids

    def deed(self) -> Deed:
        return Deed(self._kill, SHAPE)

    async def _kill(self, params: Params) -> Mapping[str, Any]:
        """`killed`: whether there was such a one here."""
        found = ID.fullmatch(params["id"])
        assert found is not None, "the shape has read it"
        kind, number = found["kind"], int(found["number"])
        if found["process"] != self._ids.process:
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
