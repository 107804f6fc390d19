"""The list of what is compiled, as compiled/setup.py has it."""

import subprocess
import sys
from pathlib import Path

from support.daemons import BOUND_S
from support.trees import ROOT

MAKE = """\
import runpy
print(len(runpy.run_path("setup.py", run_name="listed")["extensions"]()))
"""


def test_mypyc_takes_every_module(tmp_path: Path) -> None:
    """One more is their library. What it makes of them is compiled by the long tests only."""
    for name in ("botod", "setup.py"):
        (tmp_path / name).symlink_to(ROOT / "compiled" / name)
    done = subprocess.run(
        [sys.executable, "-c", MAKE],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=4 * BOUND_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert int(done.stdout.split()[-1]) > 70
