"""What the tests of services share."""

import pytest

from botod.daemon import retries


@pytest.fixture
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no pause between tries: the dice always show nought."""
    monkeypatch.setattr(retries, "random", lambda: 0.0)
