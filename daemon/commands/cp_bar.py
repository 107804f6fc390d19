"""How far a copy has come: the figures, the line that shows them, and the terminal it stands on."""

import asyncio
import contextlib
import os
import select
import time
from collections import deque
from dataclasses import dataclass, field

STDERR = 2

REDRAW_S = 0.2
"""The daemon tells of large bodies twice a second; small files make the line move in between."""

RATE_OVER_S = 10.0
"""What the rate is an average over: long enough to stand still, short enough to be of now."""

SHORTEST_S = 0.5
"""Before that much time a rate says nothing."""

WIDTH = 80
"""Of a terminal that does not tell its own."""

UNIT = 1024
UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")


@dataclass(slots=True)
class Tally:
    """How far it has come.

    total_bytes: None: not known. found_num: files, so far; is_finding: there may be more.
    has_many: whether files are counted at all.
    """

    has_many: bool = False
    moved_bytes: int = 0
    total_bytes: int | None = None
    found_num: int = 0
    done_num: int = 0
    failed_num: int = 0
    is_finding: bool = True


@dataclass(slots=True)
class Rate:
    """Bytes a second of late. Times are the caller's, in seconds."""

    _seen: deque[tuple[float, int]] = field(default_factory=deque)

    def saw(self, moved_bytes: int, *, now: float) -> None:
        self._seen.append((now, moved_bytes))
        while len(self._seen) > 1 and self._seen[1][0] <= now - RATE_OVER_S:
            self._seen.popleft()

    def per_s(self) -> float | None:
        """None: it cannot be told yet."""
        if not self._seen:
            return None
        (first_at, first), (last_at, last) = self._seen[0], self._seen[-1]
        if last_at - first_at < SHORTEST_S:
            return None
        return max(0, last - first) / (last_at - first_at)


def line(tally: Tally, rate: float | None) -> str:
    """What a person reads."""
    parts = [_files(tally)] if tally.has_many else []
    parts.append(_bytes(tally))
    if rate is not None:
        parts.append(f"{size(rate)}/s")
    if tally.total_bytes is not None and rate:
        parts.append(f"{duration(max(0, tally.total_bytes - tally.moved_bytes) / rate)} left")
    return "  ".join(parts)


def _files(tally: Tally) -> str:
    found = f"{tally.found_num:,}{'+' if tally.is_finding else ''}"
    failed = f", {tally.failed_num:,} failed" if tally.failed_num else ""
    return f"{tally.done_num:,} of {found} files{failed}"


def _bytes(tally: Tally) -> str:
    if tally.total_bytes is None:
        return size(tally.moved_bytes)
    percent = 100 * tally.moved_bytes // tally.total_bytes if tally.total_bytes else 100
    return f"{size(tally.moved_bytes)} of {size(tally.total_bytes)}  {min(percent, 100)}%"


def size(number: float) -> str:
    """A number of bytes in the unit that suits it."""
    for unit in UNITS:
        if number < UNIT or unit == UNITS[-1]:
            break
        number /= UNIT
    return f"{number:.0f} {unit}" if unit == UNITS[0] else f"{number:.1f} {unit}"


def duration(seconds: float) -> str:
    """Up to a minute in tenths of a second, then as a clock shows it."""
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.1f} s"
    minutes, left = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"


class Screen:
    """Standard error: lines that stay, and below them one that is drawn over and over.

    has_bar: whether there is that one.
    """

    def __init__(self, tally: Tally, *, has_bar: bool) -> None:
        self.has_bar = has_bar
        self._tally = tally
        self._rate = Rate()
        self._is_drawn = False

    def say(self, words: str) -> None:
        """A line that stays. A terminal that was closed reads no more, and that ends nothing."""
        _write(f"{self._erased()}botod: {words}\n")

    async def keep_drawing(self) -> None:
        """Show the figures again and again, until cancelled."""
        while True:
            self._rate.saw(self._tally.moved_bytes, now=time.monotonic())
            if _may_draw():
                text = line(self._tally, self._rate.per_s())
                _write(f"{self._erased()}{text[: _width() - 1]}")
                self._is_drawn = True
            await asyncio.sleep(REDRAW_S)

    def finish(self, took_s: float) -> None:
        """The last figures, which stay."""
        if self.has_bar:
            rate = self._tally.moved_bytes / took_s if took_s else None
            self._tally.total_bytes = None
            self._tally.is_finding = False
            _write(f"{self._erased()}{line(self._tally, rate)}  in {duration(took_s)}\n")

    def wipe(self) -> None:
        """Leave nothing half drawn."""
        _write(self._erased())

    def _erased(self) -> str:
        was_drawn, self._is_drawn = self._is_drawn, False
        return "\r\x1b[K" if was_drawn else ""


def has_terminal() -> bool:
    """Whether standard error is one on which a line can be drawn over."""
    return os.isatty(STDERR) and os.environ.get("TERM") != "dumb"


def _may_draw() -> bool:
    """Not from the background, where a terminal is another's, nor where it was stopped (Ctrl-S)."""
    try:
        is_ours = os.tcgetpgrp(STDERR) == os.getpgrp()
    except OSError:  # it is not our controlling terminal, or it was closed
        is_ours = os.isatty(STDERR)
    return is_ours and bool(select.select([], [STDERR], [], 0)[1])


def _width() -> int:
    try:
        return os.get_terminal_size(STDERR).columns or WIDTH
    except OSError:
        return WIDTH


def _write(text: str) -> None:
    with contextlib.suppress(OSError):
        os.write(STDERR, text.encode(errors="backslashreplace"))
