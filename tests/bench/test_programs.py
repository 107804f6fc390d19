"""What programs say of themselves, in our words."""

import pytest

from harness.work import NotMeasuredError
from works.programs import wrk_figures
from works.web import replies_per_s

SAID = """\
Running 2s test @ https://localhost:1/bucket/k
  1 threads and 64 connections
  Latency Distribution
     50%  807.00us
     75%    1.10ms
     90%    1.51ms
     99%    1.25s
  20000 requests in 2.00s, 23.69MB read
Requests/sec:  10000.50
"""


def test_wrk_is_read() -> None:
    """With its units."""
    figures = wrk_figures(SAID, cpu_s=0.2)
    assert figures == pytest.approx({
        "per_s": 10000.5, "cpu_us": 10.0, "all_us": 10.0, "sent": 20000.0, "p50_ms": 0.807,
        "p99_ms": 1250.0,
    })  # fmt: skip


def test_wrk_that_got_errors_is_not_measured() -> None:
    """A refusal is quicker than an answer."""
    with pytest.raises(NotMeasuredError):
        wrk_figures(SAID + "  Non-2xx or 3xx responses: 20000\n", cpu_s=0.2)


def test_httperf_is_read() -> None:
    """Replies over the whole test, so that what came late counts as late."""
    said = "Total: connections 500 requests 500 replies 450 test-duration 5.000 s\n"
    assert replies_per_s(said) == 90.0
    with pytest.raises(NotMeasuredError):
        replies_per_s("httperf: connection failed")
