"""What the tests of the wire have in common."""

from pathlib import Path

import pytest


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the server listens; a short name, because a socket's may have 107 bytes."""
    return tmp_path / "s"
