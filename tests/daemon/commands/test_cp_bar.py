"""The figures of a copy, as a person reads them."""

import os
import pty

import pytest

from botod.daemon.commands.cp_bar import RATE_OVER_S, Rate, Screen, Tally, duration, line, size

MIB = 1024 * 1024


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 bytes"),
        (1023, "1023 bytes"),
        (1024, "1.0 KiB"),
        (1536 * 1024, "1.5 MiB"),
        (5 * 1024**4, "5.0 TiB"),
        (5 * 1024**5, "5120.0 TiB"),
    ],
)
def test_bytes_have_a_unit(number: int, text: str) -> None:
    """The one in which they are few."""
    assert size(number) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (9.96, "10.0 s"), (61, "1:01"), (3600 + 59.6, "1:01:00")],
)
def test_time_is_shown_as_a_clock_does(seconds: float, text: str) -> None:
    """From a minute on."""
    assert duration(seconds) == text


def test_one_file_of_known_size() -> None:
    """Bytes, percent, rate, time left."""
    tally = Tally(moved_bytes=3 * MIB, total_bytes=4 * MIB)
    assert line(tally, MIB / 2) == "3.0 MiB of 4.0 MiB  75%  512.0 KiB/s  2.0 s left"
    assert line(tally, None) == "3.0 MiB of 4.0 MiB  75%"
    assert line(tally, 0.0) == "3.0 MiB of 4.0 MiB  75%  0 bytes/s"


def test_one_file_of_unknown_size() -> None:
    """What there is to say."""
    assert line(Tally(moved_bytes=3 * MIB), MIB) == "3.0 MiB  1.0 MiB/s"


def test_no_more_than_all_is_done() -> None:
    """A file that has grown, and one that has nothing in it."""
    assert line(Tally(moved_bytes=9, total_bytes=4), None) == "9 bytes of 4 bytes  100%"
    assert line(Tally(total_bytes=0), 1.0) == "0 bytes of 0 bytes  100%  1 bytes/s  0.0 s left"


def test_many_files() -> None:
    """Those done of those found; a plus while there may be more."""
    tally = Tally(has_many=True, moved_bytes=2048, found_num=1200, done_num=1000)
    assert line(tally, None) == "1,000 of 1,200+ files  2.0 KiB"
    tally.is_finding = False
    tally.failed_num = 3
    assert line(tally, 1024.0) == "1,000 of 1,200 files, 3 failed  2.0 KiB  1.0 KiB/s"


def test_the_rate_is_of_late() -> None:
    """What was long ago does not count, nor does one moment."""
    rate = Rate()
    assert rate.per_s() is None
    rate.saw(0, now=0.0)
    rate.saw(1000, now=0.1)
    assert rate.per_s() is None
    rate.saw(10_000, now=10.0)
    assert rate.per_s() == 1000.0
    rate.saw(10_000, now=10.0 + RATE_OVER_S)
    assert rate.per_s() == 0.0


def test_an_attempt_in_vain_makes_no_negative_rate() -> None:
    """What it had moved is taken back."""
    rate = Rate()
    rate.saw(1000, now=0.0)
    rate.saw(0, now=1.0)
    assert rate.per_s() == 0.0


def test_without_a_bar_only_lines_are_written(capfd: pytest.CaptureFixture[str]) -> None:
    """No last figures either."""
    screen = Screen(Tally(), has_bar=False)
    screen.say("a line")
    screen.finish(1.0)
    assert capfd.readouterr().err == "botod: a line\n"


def test_a_closed_terminal_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be shown is not shown; the copy goes on, unless it hears of it by a signal."""
    terminal, ours = pty.openpty()
    os.close(terminal)
    monkeypatch.setattr("botod.daemon.commands.cp_bar.STDERR", ours)
    screen = Screen(Tally(), has_bar=True)
    screen.say("a line")
    screen.finish(0.0)
    os.close(ours)
