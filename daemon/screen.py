"""A terminal that shows one frame after the other, and is left as it was found."""

import contextlib
import os
import select
import signal
import sys
import termios
import tty
from collections.abc import Iterator, Sequence
from typing import Self

SHOW = "\x1b[?1049h\x1b[?25l"
"""The other screen, without a cursor."""

LEAVE = "\x1b[?25h\x1b[?1049l"

HOME, REST_OF_LINE, REST_OF_SCREEN = "\x1b[H", "\x1b[K", "\x1b[J"

QUIT = b"qQ\x03"


class Quit(Exception):
    """The user wants to go."""


class Screen:
    """Standard output as a screen; a context in which it is one.

    Where it is no terminal frames are written one below the other, of any size.
    """

    def __init__(self) -> None:
        self._is_terminal = sys.stdout.isatty()
        self._stack = contextlib.ExitStack()
        self._wake, self._waker = -1, -1

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            stack.enter_context(_signals())
            if self._is_terminal:
                self._wake, self._waker = os.pipe()
                stack.callback(os.close, self._wake)
                stack.callback(os.close, self._waker)
                stack.enter_context(_resizes(self._waker))
                stack.enter_context(_raw_keys())
                stack.callback(_write, LEAVE)
                _write(SHOW)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stack.close()

    def size(self) -> tuple[int, int]:
        """Columns and lines."""
        if not self._is_terminal:
            return sys.maxsize, sys.maxsize
        # Not shutil's, which believes $COLUMNS, whatever becomes of the window.
        found = os.get_terminal_size(sys.stdout.fileno())
        return found.columns or 80, found.lines or 24

    def show(self, lines: Sequence[str]) -> None:
        """Put a frame in the place of the one before."""
        if self._is_terminal:
            end = f"{REST_OF_LINE}\n".join(lines)
            _write(f"{HOME}{end}{REST_OF_LINE}{REST_OF_SCREEN}")
        else:
            _write("\n".join([*lines, "", ""]))

    def pause(self, seconds: float) -> bool:
        """Wait; True: the terminal has another size now. Raises Quit for a q."""
        watched = [self._wake] if self._is_terminal else []
        if self._is_terminal and sys.stdin.isatty():
            watched.append(sys.stdin.fileno())
        ready, _writers, _errors = select.select(watched, [], [], seconds)
        if self._wake in ready:
            os.read(self._wake, 64)
            return True
        if ready:
            key = os.read(sys.stdin.fileno(), 1)
            if not key or key in QUIT:
                raise Quit
        return False


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


@contextlib.contextmanager
def _raw_keys() -> Iterator[None]:
    """Keys come at once and are not echoed."""
    if not sys.stdin.isatty():
        yield
        return
    keyboard = sys.stdin.fileno()
    before = termios.tcgetattr(keyboard)
    tty.setcbreak(keyboard)
    try:
        yield
    finally:
        termios.tcsetattr(keyboard, termios.TCSADRAIN, before)


@contextlib.contextmanager
def _signals() -> Iterator[None]:
    """SIGTERM ends as Ctrl-C does: with the terminal as it was."""

    def end(_number: int, _frame: object) -> None:
        raise Quit

    with _handled(signal.SIGTERM, end), _handled(signal.SIGINT, end):
        yield


@contextlib.contextmanager
def _resizes(waker: int) -> Iterator[None]:
    """A byte is written to `waker` when the terminal has another size."""
    os.set_blocking(waker, False)

    def tell(_number: int, _frame: object) -> None:
        with contextlib.suppress(BlockingIOError):
            os.write(waker, b"x")

    with _handled(signal.SIGWINCH, tell):
        yield


@contextlib.contextmanager
def _handled(number: int, handler: "signal._HANDLER") -> Iterator[None]:
    before = signal.signal(number, handler)
    try:
        yield
    finally:
        signal.signal(number, before)
