"""Rules that hold for every test."""

import logging
import os
from collections.abc import Iterator

import pytest

# What looks for keys finds none of this machine's, and asks nobody at another address.
os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull

EXPECTED_ANYWHERE = ("a visit of",)
"""A loaded machine may stretch any visit; tests that are about visits look at them themselves."""


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
