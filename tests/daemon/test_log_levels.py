"""The log's level while the daemon runs."""

import asyncio
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from botod.daemon.log_levels import LogLevels
from botod.ipc.errors import RpcError


@pytest.fixture(autouse=True)
def _levels() -> Iterator[None]:
    before = logging.getLogger().level
    yield
    logging.getLogger().setLevel(before)


def set_level(levels: LogLevels, **params: str) -> Any:
    """What the method answers."""
    return asyncio.run(levels.deed().do(params))  # type: ignore[arg-type]


def test_of_all_and_of_one_module() -> None:
    """The module has its own, by either of its names, until they are forgotten."""
    levels, module = LogLevels(), logging.getLogger("botod.daemon.worker")
    set_level(levels, level="error")
    for name in ("daemon.worker", "botod.daemon.worker"):
        answer = set_level(levels, level="debug", module=name)
        assert answer == {"level": "error", "modules": {"botod.daemon.worker": "debug"}}
    assert (logging.getLogger().level, module.level) == (logging.ERROR, logging.DEBUG)
    levels.reset()
    assert (logging.getLogger().level, module.level) == (logging.ERROR, logging.NOTSET)
    assert set_level(levels, level="info")["modules"] == {}


@pytest.mark.parametrize("module", ["boto", "botocore", "daemon.nothing", ""])
def test_what_is_not_the_daemon_s_has_none(module: str) -> None:
    """Others' log whole answers, and what signs."""
    with pytest.raises(RpcError, match="no module"):
        set_level(LogLevels(), level="debug", module=module)
