"""What `botod cp` shows of itself: the bar, its errors, and what it would do."""

import signal
from pathlib import Path

import pytest

from support.buckets import BUCKET, Served
from support.copying import cp, on_terminal, started, tree_of
from support.daemons import BOUND_S

ALL = f"s3://{BUCKET}/p"
LARGE = bytes(range(256)) * 4000


def test_the_bar_shows_how_far_it_is(served: Served, tmp_path: Path) -> None:
    """Of the size that the service tells; its last figures stay."""
    served.buckets.objects["k"] = LARGE
    with on_terminal(f"s3://{BUCKET}/k", tmp_path / "x") as copy:
        assert copy.finish() == 0
    assert b"0 bytes of 1000.0 KiB  0%" in copy.shown
    assert b"\r\x1b[K1000.0 KiB  " in copy.shown
    assert copy.shown.endswith(b" s\r\n")


@pytest.mark.parametrize("flag", ["-q", "--no-progress"])
def test_no_bar_if_none_is_wanted(served: Served, tmp_path: Path, flag: str) -> None:
    """Nor is the size asked for: the object comes in one request."""
    served.buckets.objects["k"] = b"x"
    with on_terminal(flag, f"s3://{BUCKET}/k", tmp_path / "x") as copy:
        assert copy.finish() == 0
    assert copy.shown == b""
    assert [request.method for request in served.server.requests] == ["GET"]


def test_no_bar_through_the_object_itself(served: Served) -> None:
    """A terminal that shows it shows nothing else."""
    served.buckets.objects["k"] = b"one\ntwo\n"
    with on_terminal(f"s3://{BUCKET}/k", "-") as copy:
        assert copy.finish() == 0
    assert copy.shown == b"one\r\ntwo\r\n"


def test_an_error_is_not_drawn_over(served: Served, tmp_path: Path) -> None:
    """It stands on a line of its own below the bar's last."""
    with on_terminal(f"s3://{BUCKET}/none", tmp_path / "x") as copy:
        assert copy.finish() == 1
    assert b"\x1b[Kbotod: s3://photos/none to " in copy.shown


def test_a_dry_run_only_says_what_it_would_do(served: Served, tmp_path: Path) -> None:
    """Both ways."""
    (tmp_path / "x").write_bytes(b"x")
    assert cp("-r", "--dry-run", tmp_path, ALL).outcome == (
        0, f"{tmp_path}/x -> {ALL}/x\n".encode(), ""
    )  # fmt: skip
    assert not served.server.requests
    served.buckets.objects["p/y"] = b"y"
    assert cp("-r", "--dry-run", ALL, tmp_path).out == f"{ALL}/y -> {tmp_path}/y\n".encode()
    assert tree_of(tmp_path) == {"x": b"x"}


def test_the_bar_counts_files(served: Served, tmp_path: Path) -> None:
    """Those done of those found; an error stands above it."""
    (tmp_path / "from").mkdir()
    for number in range(200):
        (tmp_path / "from" / f"f{number}.txt").write_bytes(b"x" * number)
    served.buckets.refused["p/f0.txt"] = ("AccessDenied", "Not yours")
    with on_terminal("-r", tmp_path / "from", ALL) as copy:
        assert copy.finish() == 1
    assert b"199 of 200 files, 1 failed  19.4 KiB" in copy.shown
    assert b"f0.txt: AccessDenied" in copy.shown
    assert copy.shown.endswith(b"botod: 1 of 200 files failed\r\n")


def test_nobody_reads_what_it_would_do(served: Served, tmp_path: Path) -> None:
    """As `| head`: it dies of SIGPIPE and says nothing."""
    for number in range(2000):
        served.buckets.objects[f"p/{number}"] = b""
    with started("-r", "--dry-run", ALL, tmp_path) as copy:
        assert copy.stdout is not None
        assert copy.stderr is not None
        copy.stdout.close()
        assert copy.stderr.read() == b""
        assert copy.wait(BOUND_S) == -signal.SIGPIPE


def test_a_dumb_terminal_has_no_bar(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It cannot draw over what is there."""
    monkeypatch.setenv("TERM", "dumb")
    served.buckets.objects["k"] = b"x"
    with on_terminal(f"s3://{BUCKET}/k", tmp_path / "x") as copy:
        assert copy.finish() == 0
    assert copy.shown == b""
