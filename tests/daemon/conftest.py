"""What the tests of services share."""

from types import SimpleNamespace

import pytest

import boto.connection


@pytest.fixture
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """boto's loop sleeps for no time between its tries: its dice always show nought."""
    monkeypatch.setattr(boto.connection, "random", SimpleNamespace(random=lambda: 0.0))
