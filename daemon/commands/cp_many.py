"""Many things copied at once, for `botod cp -r`: a failed one is named, the others go on.

One task finds what there is to copy while others copy it. It is ahead of them by so many, and then
waits: neither a listing nor a folder is ever held whole.
"""

import asyncio
import errno
from collections.abc import AsyncIterator, Awaitable, Callable

from botod.daemon.commands.cp_bar import Screen, Tally
from botod.daemon.commands.cp_names import Unfit
from botod.daemon.commands.cp_places import Task, shown
from botod.daemon.commands.cp_plan import Planned, Refused
from botod.daemon.commands.cp_transfers import Moved
from botod.ipc.errors import (
    ClientError,
    DaemonUnavailable,
    InvalidParams,
    NoCredentials,
    RpcError,
    UntrustedServer,
)

AHEAD = 1000
"""Found and not begun: a page of a listing, so that the next one is asked for in time."""

FAILURES = (RpcError, DaemonUnavailable, OSError, Unfit, ValueError)
"""What a copy fails with; all else is a bug. A ValueError: a listing's pages go in a circle."""

HOPELESS = (DaemonUnavailable, InvalidParams, NoCredentials, UntrustedServer)
"""A profile that there is not, too, is an InvalidParams; what is wrong with a key is found here."""

HOPELESS_SERVICE = frozenset({"NoSuchBucket", "InvalidAccessKeyId", "SignatureDoesNotMatch"})
HOPELESS_SYSTEM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EPIPE})

Do = Callable[[Task, Moved], Awaitable[None]]


class Many:
    """The copies of one command.

    do: copies one. jobs: how many at once. stopped_by: why not all there is was found, or copied.
    """

    def __init__(self, do: Do, *, screen: Screen, tally: Tally, jobs: int) -> None:
        self.stopped_by: Exception | None = None
        self._do = do
        self._screen = screen
        self._tally = tally
        self._jobs = jobs
        self._has_hope = True
        self._queue: asyncio.Queue[Task | None] = asyncio.Queue(AHEAD)

    async def run(self, plan: AsyncIterator[Planned]) -> None:
        """Copy all of a plan. Cancelled, it ends what is under way."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self._jobs):
                group.create_task(self._work())
            await self._find(plan)
            await self._queue.put(None)

    async def _find(self, plan: AsyncIterator[Planned]) -> None:
        try:
            async for planned in plan:
                self._tally.found_num += 1
                if isinstance(planned, Refused):
                    self._failed(planned.what, planned.why)
                else:
                    await self._queue.put(planned)
                if not self._has_hope:
                    break
        except FAILURES as error:
            self._stop(error)  # what was found until then is copied all the same
        self._tally.is_finding = False

    async def _work(self) -> None:
        """Copy one after the other until the end, which is left for the other workers to see."""
        while (task := await self._queue.get()) is not None:
            if self._has_hope:
                await self._one(task)
        await self._queue.put(None)

    async def _one(self, task: Task) -> None:
        moved_bytes = 0

        def moved(number: int) -> None:
            nonlocal moved_bytes
            moved_bytes += number
            self._tally.moved_bytes += number

        try:
            await self._do(task, moved)
        except FAILURES as error:
            self._tally.moved_bytes -= moved_bytes
            if not is_hopeless(error):
                self._failed(str(task), words(error))
                return
            self._tally.failed_num += 1
            self._stop(error)  # which the last line says, once for all
        else:
            self._tally.done_num += 1

    def _failed(self, what: str, why: str) -> None:
        self._tally.failed_num += 1
        self._screen.say(f"{shown(what)}: {shown(why)}")

    def _stop(self, error: Exception) -> None:
        if self.stopped_by is None:
            self.stopped_by = error
        if is_hopeless(error):
            self._has_hope = False


def summary(tally: Tally, stopped_by: Exception | None) -> str | None:
    """The last line, if anything went wrong."""
    if stopped_by is not None and not tally.found_num:
        return shown(words(stopped_by))
    counts = f"{tally.failed_num} of {tally.found_num} files failed"
    if stopped_by is not None:
        return f"ended early: {shown(words(stopped_by))}; {tally.done_num} copied, {counts}"
    return counts if tally.failed_num else None


def is_hopeless(error: Exception) -> bool:
    """Whether all that is left would fail of the same."""
    if isinstance(error, ClientError):
        return error.response["Error"]["Code"] in HOPELESS_SERVICE
    number = error.errno if isinstance(error, OSError) else getattr(error, "errno", "")
    return isinstance(error, HOPELESS) or number in HOPELESS_SYSTEM | _NAMES


def words(error: Exception) -> str:
    """What went wrong, in one line."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(text.split())


_NAMES = frozenset(errno.errorcode[number] for number in HOPELESS_SYSTEM)
"""As the daemon calls them."""
