"""When a restart is begun, and when not."""

import asyncio

import pytest

from botod.daemon.config import Config, ConfigError
from botod.daemon.restarting import Restarting
from botod.daemon.share import Share
from botod.ipc.errors import RpcError
from support.loops import run


def test_it_begins_after_its_answer() -> None:
    """Of one worker, or of all that a master has."""

    async def main() -> None:
        begun: list[int] = []
        for share in (Share(), Share(0, 2), Share(0, 1, is_told=True)):
            one = Restarting(share, read_config=Config, restart=lambda: begun.append(1))
            assert (await one.of_all({})).keys() == {"pid", "version"}
        assert begun == [1] * 2  # the last is to begin in the next turn
        await asyncio.sleep(0)
        assert begun == [1] * 3

    run(main)


def test_it_is_refused() -> None:
    """If the file has a mistake, or it would be of one among several that others started."""

    def bad() -> Config:
        raise ConfigError("it is bad")

    async def main() -> None:
        one = Restarting(Share(), read_config=bad, restart=pytest.fail)
        with pytest.raises(RpcError, match="not restarted: it is bad"):
            await one.own({})
        told = Restarting(Share(0, 2, is_told=True), read_config=Config, restart=pytest.fail)
        with pytest.raises(RpcError, match="over its own worker-K"):
            await told.of_all({})

    run(main)
