"""The scripts that are run by hand: nobody would notice that one does not start any more."""

import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[2] / "bench"
SCRIPTS = [path for path in sorted(BENCH.glob("*.py")) if "argparse" in path.read_text("utf-8")]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_each_script_says_what_it_takes(script: Path) -> None:
    """So that all that it imports is there."""
    command = [sys.executable, str(script), "--help"]
    said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (said.returncode, said.stderr) == (0, "")
    assert said.stdout.startswith("usage:")
