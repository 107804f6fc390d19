"""Jobs and connections that an administrator ends."""

from typing import Any

import pytest

from botod.daemon.control import read_params
from botod.daemon.killing import SHAPE, Ids, Killing
from botod.ipc.errors import Code, RpcError
from botod.ipc.server import Server
from support.exchanges import Peer
from support.ipc import LIMITS
from support.loops import run, until
from support.rigs import MESSAGE, ON_KEY, SENDER, Rig, rig
from support.services import Held, reply

IDS = Ids(3)


async def kill(one: Rig, name: str) -> bool:
    """Whether there was such a one."""
    server = Server(one.worker.handle, LIMITS)
    told = await Killing(one.worker.roll, server, IDS).deed().do({"id": name})
    await server.close(timeout_s=0)
    killed: bool = told["killed"]
    return killed


@pytest.mark.parametrize(
    ("method", "params", "words"),
    [
        ("s3.get_object", ON_KEY, "was ended by an administrator; trying again is safe"),
        ("sqs.send_message", MESSAGE, "was ended by an administrator; it may have been done"),
    ],
)
def test_a_job(method: str, params: dict[str, Any], words: str) -> None:
    """Who waits, and who joined, is told who did it; the transfer is stopped and the slot free."""
    held = Held(reply(b"x"))

    async def main() -> None:
        async with rig(held, slots=1) as one:
            keyed = {"idempotency_key": "k", "batch": False}
            peers = [one.ask(method, params, **keyed) for _ in range(2)]
            await until(held.arrived.is_set)
            (job,) = one.worker.roll
            assert not await kill(one, Ids(2).job(job.number))
            assert not await kill(one, IDS.job(job.number + 1))
            assert await kill(one, IDS.job(job.number))
            for peer in peers:
                error = (await peer.outcome()).error
                assert error is not None
                assert error.code == Code.CANCELLED
                assert error.message == f"{method} {words}"
            held.release.set()
            assert not await kill(one, IDS.job(job.number))
            assert await one.call("s3.get_object", ON_KEY)

    run(main)


def test_an_id_of_a_process_before() -> None:
    """It ends nothing in a worker that came in that one's place and counts anew."""
    held = Held(reply(b"x"))

    async def main() -> None:
        async with rig(held) as one:
            peer = one.ask("s3.get_object", ON_KEY)
            await until(held.arrived.is_set)
            (job,) = one.worker.roll
            assert not await kill(one, Ids(3).job(job.number))
            held.release.set()
            await peer.result()

    run(main)


def test_a_stream() -> None:
    """It is broken off, with the same words."""

    async def main() -> None:
        async with rig(reply(b"x" * 500_000)) as one:
            peer = one.ask("s3.get_object", ON_KEY, credit_bytes=10)
            await peer.result()
            (job,) = one.worker.roll
            assert await kill(one, IDS.job(job.number))
            await peer.ended()
            assert peer.stream_error is not None
            assert "was ended by an administrator" in peer.stream_error["message"]

    run(main)


def test_a_peer_that_is_not_there() -> None:
    """Nobody is hung up on; connections are tried end to end."""

    async def main() -> None:
        async with rig(reply(b"x")) as one:
            assert not await kill(one, IDS.peer(1))

    run(main)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "17",
        "j0-3f2a",
        "j0-17",
        "j0-3f2a-",
        "x0-3f2a-1",
        "j0-3f2a-1 ",
        "j0-3f2a-1\n",
        "j٣-3f2a-1",
    ],
)
def test_what_is_no_id(name: str) -> None:
    """It is refused before anybody is asked."""

    async def main() -> None:
        exchange = Peer("botod.kill", {"id": name}, sender=SENDER).exchange
        with pytest.raises(
            RpcError, match="has to be a job's or a peer's id: j0-3f2a-17, p0-3f2a-3"
        ):
            read_params(exchange, SHAPE)

    run(main)
