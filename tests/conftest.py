"""Rules that hold for every test."""

import logging
import os
from collections.abc import Iterator

import pytest

import support.compiled  # noqa: F401 - first: it says which modules are compiled
from support.secrets import secrets_in, shown, watch_errors

# What looks for keys finds none of this machine's, and asks nobody at another address.
os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull

EXPECTED_ANYWHERE = ("a visit of",)
"""A loaded machine may stretch any visit; tests that are about visits look at them themselves."""


@pytest.fixture(scope="session", autouse=True)
def _errors_are_watched() -> Iterator[None]:
    stop = watch_errors()
    yield
    stop()


@pytest.fixture(autouse=True)
def nothing_secret_is_shown(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """No log line and no error of the wire has keys, tokens or signatures in it."""
    shown.clear()
    yield
    records = caplog.get_records("call")
    lines = [record.getMessage() for record in records if record.levelno >= logging.INFO]
    assert not secrets_in(lines)
    assert not shown


@pytest.fixture(autouse=True)
def no_unexpected_log_lines(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """A warning that a test does not expect fails it; one that it does is taken by caplog.clear."""
    caplog.set_level(logging.INFO)
    yield
    lines = [
        f"{record.name}: {record.getMessage()}"
        for record in caplog.get_records("call")
        if record.levelno >= logging.WARNING
        and not record.getMessage().startswith(EXPECTED_ANYWHERE)
    ]
    assert not lines, f"unexpected log lines: {lines}"
