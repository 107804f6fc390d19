"""How late the loop is."""

import asyncio
import time

import pytest

from botod.daemon.metrics import loop_lag
from botod.daemon.metrics.loop_lag import LoopLag
from support.loops import run, until


def test_a_loop_that_was_kept_was_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """By as long as it was kept from what was due; and not by what came before."""
    monkeypatch.setattr(loop_lag, "TICK_S", 0.01)

    async def main() -> None:
        lag = LoopLag()
        lag.start()
        await until(lambda: sum(lag.lags.counts) >= 2)
        before = lag.lags.total
        await asyncio.sleep(0)
        time.sleep(0.2)  # noqa: ASYNC251 - what is not to be done is what is noticed
        await asyncio.sleep(0)
        await until(lambda: lag.lags.total > before + 0.1)
        lag.stop()

    run(main)


def test_it_can_be_stopped_before_it_was_started() -> None:
    """And leaves no timer."""

    async def main() -> None:
        LoopLag().stop()

    run(main)
