"""`make boto-suite` itself."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RUN_TIMEOUT_S = 900.0


@pytest.mark.long
def test_botos_own_tests_end_over_the_pool_as_over_stock() -> None:
    """It exits with 0, and says how many passed on both sides and what the pool carried."""
    process = subprocess.run(
        ["make", "--no-print-directory", "boto-suite"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=RUN_TIMEOUT_S,
        check=False,
    )
    printed = process.stdout
    assert process.returncode == 0, printed + process.stderr
    stock = re.search(r"^stock: (\d+) passed, (\d+) failed$", printed, re.MULTILINE)
    pool = re.search(r"^pool: (\d+) passed, (\d+) failed, (\d+) excused$", printed, re.MULTILINE)
    carried = re.search(r"^pool: (\d+) requests carried$", printed, re.MULTILINE)
    assert stock, printed
    assert pool, printed
    assert carried, printed
    assert int(stock[1]) >= 1700
    assert int(pool[1]) + int(pool[3]) >= int(stock[1])
    assert int(pool[2]) <= int(stock[2])
    assert int(carried[1]) >= 300
