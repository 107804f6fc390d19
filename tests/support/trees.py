"""The source tree, as others get it."""

import shutil
from pathlib import Path

ROOT = Path(__file__).parents[2]

MADE = (".venv", ".git", "build", "*.egg-info", "__pycache__", ".*_cache", ".hypothesis")
"""What is not in it but made of it."""


def copied_tree(target: Path) -> Path:
    """A copy, in which may be built."""
    shutil.copytree(ROOT, target, ignore=shutil.ignore_patterns(*MADE), symlinks=True)
    return target
