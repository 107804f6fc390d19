"""A select whose answer is all its items, however many pages they come in.

SimpleDB gives a page and the place of the next one. Here pages follow one another in one body, with
a line of JSON for each item; one is asked for when the last was read and there is room for more.
"""

import asyncio
import contextvars
from collections.abc import Callable

from botod.daemon.attempts import attempt
from botod.daemon.held import Held, current_held, holding
from botod.daemon.services.answers import Streamed
from botod.daemon.services.errors import BadAnswer
from botod.pool import spawn_until, wait
from botod.pool.bridge import current_deadline
from botod.pool.pieces import Piece


class Rows(Streamed):
    """The lines of all pages.

    The first is asked for here, so that the job's answer tells how that went; each other one has as
    much time as the job had, and tries of its own. They hold a slot only while one is asked for.

    ask: gives a page, as lines, and where the next one is; None: there is none.
    """

    def __init__(self, ask: Callable[[str | None], tuple[bytes, str | None]]) -> None:
        self._ask = ask
        self._token: str | None = None
        self._is_last = False
        self._lines = memoryview(b"")
        held, deadline = current_held(), current_deadline()
        self._held: Held | None = None if held is None else held.apart()
        self._page_s = None if deadline is None else deadline - _now()
        self._context = contextvars.copy_context()
        try:
            self._fetch()
        except BaseException:  # nobody has this, to close it
            self._give_back()
            raise

    @property
    def wants_room(self) -> bool:  # type: ignore[override]
        return not self._lines and not self._is_last

    def read_pieces(self, size: int) -> list[Piece]:
        """At most `size` bytes, nothing at the end only. Parks. Raises what a select raises."""
        while self.wants_room:
            self._fetch_apart()
        piece, self._lines = bytes(self._lines[:size]), self._lines[size:]
        if not self._lines:
            self._give_back()
        return [piece] if piece else []

    def close(self) -> None:
        """Hold no more."""
        self._is_last, self._lines = True, memoryview(b"")
        self._give_back()

    def _fetch_apart(self) -> None:
        """Have the next page, on the job's terms, though the job may have been answered."""
        deadline = None if self._page_s is None else _now() + self._page_s
        wait(self._context.run(spawn_until, deadline, self._fetch))

    def _fetch(self) -> None:
        if self._held is None:
            page, token = attempt(lambda: self._ask(self._token))
        else:
            with holding(self._held):
                page, token = attempt(lambda: self._ask(self._token))
        if token is not None and token == self._token:
            raise BadAnswer("the place of the next page is that of this one")
        self._lines, self._token, self._is_last = memoryview(page), token, token is None

    def _give_back(self) -> None:
        if self._held is not None:
            self._held.release()


def _now() -> float:
    return asyncio.get_running_loop().time()
