"""The same thing said again and again, told once: "repeated 1,234 times".

What is the same: the words before anything is put into them, of one logger and level. Lines about
jobs do not come here: each is about another job, and their number is that of the jobs, which the
limits bound; whoever wants fewer gives their logger a level.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

WINDOW_S = 60.0

KEPT_MAX = 1024
"""Different things remembered; words are constants of the code, of which there are fewer."""


class Said(NamedTuple):
    """What was said: by whom, how loud, in which words."""

    logger: str
    level: int
    words: str


@dataclass
class _Window:
    ends: float
    said_num: int = 0


class Repeats:
    """Decides what is told. No I/O; the time is an argument.

    most: how often the same is told in a window; 0: always. tell: told how often something was left
    out, at the end of its window.
    """

    def __init__(self, most: int, tell: Callable[[Said, int], None]) -> None:
        self.most = most
        self._tell = tell
        self._windows: dict[Said, _Window] = {}
        self._next_end = float("inf")

    @property
    def next_end(self) -> float:
        """When a window ends in which something was left out."""
        return self._next_end

    def is_told(self, said: Said, *, now: float) -> bool:
        """Whether it is to be told this time."""
        if not self.most:
            return True
        self.end_windows(now=now)
        window = self._windows.get(said)
        if window is None or window.ends <= now:
            self._make_room()
            window = self._windows[said] = _Window(now + WINDOW_S)
        window.said_num += 1
        if window.said_num > self.most:
            self._next_end = min(self._next_end, window.ends)
            return False
        return True

    def end_windows(self, *, now: float) -> None:
        """Tell of what was left out in windows that have ended."""
        if now < self._next_end:
            return
        ended = {said: one for said, one in self._windows.items() if one.ends <= now}
        for said in ended:
            del self._windows[said]
        self._next_end = min(
            (one.ends for one in self._windows.values() if one.said_num > self.most),
            default=float("inf"),
        )
        for said, window in ended.items():
            if window.said_num > self.most:
                self._tell(said, window.said_num - self.most)

    def _make_room(self) -> None:
        if len(self._windows) >= KEPT_MAX:
            self.end_windows(now=float("inf"))
