"""boto's other ways of blocking park in a greenlet."""

import asyncio
import threading
import time

import pytest

from botod.pool import spawn
from botod.pool.blocking import unblock_loaded
from support.http_server import Exchange, http_server
from support.loops import BOUND_S, run

import boto.cloudsearch.optionstatus
import boto.connection
import boto.dynamodb.table
import boto.utils
from boto.pyami.config import Config

SLEEPERS = [boto.cloudsearch.optionstatus, boto.connection, boto.dynamodb.table, boto.utils]


@pytest.mark.parametrize("module", SLEEPERS, ids=lambda module: module.__name__)
def test_each_of_boto_s_sleeps_parks(module: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a greenlet; outside one the thread sleeps, and the rest of `time` is as it was."""
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    unblock_loaded()
    boto_time = module.time  # type: ignore[attr-defined]

    async def scenario() -> None:
        await spawn(boto_time.sleep, 0.001)
        assert slept == []
        boto_time.sleep(7)
        assert slept == [7]
        assert boto_time.gmtime is time.gmtime

    run(scenario)


def test_the_metadata_is_asked_for_in_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """boto asks by urllib; a greenlet that does so keeps nobody waiting."""
    others_done = threading.Event()

    def answer(exchange: Exchange) -> None:
        assert others_done.wait(BOUND_S), "the loop stood still"
        exchange.ok(b"i-1234")

    async def scenario() -> None:
        with http_server(answer) as server:
            url = f"http://127.0.0.1:{server.port}/latest/meta-data/instance-id"
            asked = spawn(boto.utils.retry_url, url, num_retries=1, timeout=BOUND_S)
            for _ in range(10):
                await asyncio.sleep(0)
            others_done.set()
            assert await asked == "i-1234"
            assert await asyncio.to_thread(boto.utils.retry_url, url, num_retries=1) == "i-1234"

    run(scenario)


@pytest.mark.parametrize(
    ("section", "is_there"), [("Boto", True), ("Boto", False), ("Credentials", False)]
)
def test_the_configuration_answers_as_ever(
    section: str, is_there: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Settings that are there, and defaults for those that are not, also of unknown sections."""
    mine, stock = boto.config, Config(do_load=False)
    monkeypatch.setattr(mine, "_parser", Config(do_load=False)._parser)
    for config in (mine, stock):
        config.add_section("Boto")
        if is_there:
            config.set(section, "num_retries", "7")
    for name in ("num_retries", "debug", "working_dir"):
        assert mine.get(section, name, "x") == stock.get(section, name, "x")
    for name in ("num_retries", "debug"):
        assert mine.getint(section, name, 3) == stock.getint(section, name, 3)
        assert mine.get_value(section, name, "x") == stock.get_value(section, name, "x")
