"""Programs that some tests need of the system."""

import os
import shutil
import sys
from pathlib import Path

import pytest

BIN = str(Path(sys.executable).parent)
"""Where the commands of this environment are: botod, supervisord."""


def tool(name: str) -> str:
    """The path of a program. Where it is missing the test is skipped, in CI it fails."""
    path = shutil.which(name, path=f"{BIN}:{os.environ['PATH']}")
    if path is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{name} is not installed")
    return path


def any_tool(*names: str) -> str:
    """The path of the first of some programs that there is; where there is none, as `tool`."""
    found = (shutil.which(name, path=f"{BIN}:{os.environ['PATH']}") for name in names)
    return next(filter(None, found), None) or tool(names[0])


def environ(**more: str) -> dict[str, str]:
    """The environment of the tests, with its commands in PATH."""
    return {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", **more}
