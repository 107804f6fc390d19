"""An administrator's methods: at one worker, and at all of them."""

import asyncio
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from botod.daemon.colleagues import Colleagues
from botod.daemon.console import Console, Deed
from botod.daemon.services.operation import Params
from botod.daemon.services.shapes import Number, Struct
from botod.daemon.share import Share
from botod.ipc.errors import Code, RpcError
from botod.ipc.exchange import Exchange, Sender
from support.daemons import short_folder
from support.exchanges import Peer
from support.loops import run

SENDER = Sender(11, 12, 13, 14)


class One:
    """A worker that counts what it is asked to do."""

    def __init__(self, folder: Path, number: int, workers_num: int = 2) -> None:
        self.asked: list[Params] = []
        self.told = 0
        self.mistake: RpcError | None = None
        share = Share(number, workers_num)
        self.colleagues = Colleagues(str(folder), share, self._answer)
        shape = Struct({}, {"n": Number(0, 9)})
        deed = Deed(self._do, shape, then=self._then)
        self.console = Console({"botod.count": deed}, number=number, colleagues=self.colleagues)

    def _answer(self, exchange: Exchange) -> None:
        self.console.own[exchange.request.method](exchange)

    async def _do(self, params: Params) -> Mapping[str, Any]:
        if self.mistake is not None:
            raise self.mistake
        self.asked.append(params)
        return {"count": len(self.asked)}

    def _then(self) -> None:
        self.told += 1


def ask(one: One, **params: Any) -> Peer:
    """Ask a worker on the shared socket."""
    return Peer("botod.count", params, sender=SENDER).ask(one.console.of_all["botod.count"])


def test_all_do_what_one_is_asked(caplog: pytest.LogCaptureFixture) -> None:
    """Each once, with the params; the answer has all of them, and the log who asked."""
    caplog.set_level(logging.INFO)

    async def main() -> None:
        with short_folder() as folder:
            one, other = One(folder, 0), One(folder, 1)
            await one.colleagues.open()
            await other.colleagues.open()
            answer = await ask(other, n=5).result()
            assert answer == {
                "workers": [{"worker": 0, "count": 1}, {"worker": 1, "count": 1}],
                "silent": [],
            }
            assert one.asked == other.asked == [{"n": 5}]
            assert (one.told, other.told) == (0, 1)
            await one.colleagues.close()
            await other.colleagues.close()

    run(main)
    assert 'pid 11, user 12: botod.count {"n": 5}' in caplog.text


def test_one_that_refuses_and_one_that_is_not_there_are_named() -> None:
    """The others have done it."""

    async def main() -> None:
        with short_folder() as folder:
            one, other = One(folder, 0, 3), One(folder, 1, 3)
            await other.colleagues.open()
            other.mistake = RpcError(Code.INVALID_PARAMS, "not here")
            answer = await ask(one).result()
            assert answer["workers"] == [{"worker": 0, "count": 1}]
            refusing, missing = answer["silent"]
            assert refusing == {"worker": 1, "why": "not here (-32602)"}
            assert missing["worker"] == 2
            assert "no daemon answers" in missing["why"]
            await other.colleagues.close()

    run(main)


def test_its_own_mistake_is_the_answer() -> None:
    """And params that cannot be reach nobody."""

    async def main() -> None:
        with short_folder() as folder:
            one = One(folder, 0, 1)
            one.mistake = RpcError(Code.INVALID_PARAMS, "not here")
            with pytest.raises(RpcError, match="not here"):
                await ask(one).result()
            assert one.told == 0
            with pytest.raises(RpcError, match="m is unknown; there are: n"):
                await ask(one, m=1).result()
            await asyncio.sleep(0)
            assert one.asked == []

    run(main)
