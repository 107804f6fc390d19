"""Python's cycle collector in a daemon."""

import subprocess
import sys

from botod.daemon.collector import THRESHOLDS

SETTLED = (
    "import gc; from botod.daemon import collector; collector.settle();"
    "print(*gc.get_threshold(), gc.get_freeze_count(), len(gc.get_objects()))"
)


def test_what_is_imported_is_left_alone() -> None:
    """And what is new is looked through more rarely. In another process: it is for life."""
    said = subprocess.run([sys.executable, "-c", SETTLED], capture_output=True, check=True)
    *thresholds, frozen_num, others_num = map(int, said.stdout.split())
    assert tuple(thresholds) == THRESHOLDS
    assert frozen_num > 1000 > others_num
