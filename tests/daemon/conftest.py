"""What the tests of services share."""

from collections.abc import Iterator

import pytest

from botod.daemon import retries
from botod.daemon.loop import Loop
from support.loops import Factory


@pytest.fixture(autouse=True)
def on_the_daemons_loop() -> Iterator[None]:
    """Scenarios run on what the daemon runs on."""
    Factory.loop = Loop
    yield
    Factory.loop = None


@pytest.fixture
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no pause between tries: the dice always show nought."""
    monkeypatch.setattr(retries, "random", lambda: 0.0)
