"""What the kernel knows of this process."""

import os
import resource

from botod.daemon.metrics.process import process_figures


def test_figures_are_the_kernel_s() -> None:
    """They move with what the process does."""
    before = process_figures()
    assert before["resident_bytes"] > 10 * 1024 * 1024
    assert before["cpu_s"] > 0
    assert before["descriptors_max"] == resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    with open(os.devnull, "rb"):  # noqa: PTH123
        assert process_figures()["descriptors_num"] == before["descriptors_num"] + 1
