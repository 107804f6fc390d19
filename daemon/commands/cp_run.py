"""What `botod cp` does once its command line is read: from connecting to the last line."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from botod.daemon.commands.cp_bar import Screen, Tally
from botod.daemon.commands.cp_many import FAILURES, Do, Many, summary, words
from botod.daemon.commands.cp_places import FilePlace, Place, S3Place, Task, shown
from botod.daemon.commands.cp_plan import check_trees, many, one
from botod.daemon.commands.cp_signals import Interrupts, die_of
from botod.daemon.commands.cp_transfers import STDIN, STDOUT, Moved, Transfers
from botod.ipc import aio
from botod.ipc.errors import DaemonUnavailable, RpcError

EXIT_DONE = 0
EXIT_FAILED = 1
EXIT_NO_DAEMON = 3


@dataclass(frozen=True)
class Order:
    """What the command line asks for."""

    source: Place
    target: Place
    recursive: bool
    content_type: str | None
    profile: str | None
    socket: str | None
    jobs: int
    dry_run: bool
    has_bar: bool


async def run(order: Order) -> int:
    """Do it; the exit status. Raises Wrong. A signal ends it, and the process."""
    task = asyncio.current_task()
    assert task is not None, "a coroutine runs in a task"
    interrupts = Interrupts(task)
    interrupts.watch()
    copy = _Copy(order)
    try:
        return await copy.run()
    except BrokenPipeError:
        died_of = int(signal.SIGPIPE)
    except asyncio.CancelledError:
        if interrupts.number is None:
            raise
        died_of = interrupts.number
    copy.screen.wipe()
    die_of(died_of)
    return EXIT_FAILED


class _Copy:
    """One command's work, and what is told of it."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._tally = Tally(has_many=order.recursive)
        self.screen = Screen(self._tally, has_bar=order.has_bar)

    async def run(self) -> int:
        """Raises Wrong, and BrokenPipeError if nobody reads what is written to standard output."""
        order = self._order
        try:
            if order.recursive:
                check_trees(order.source, order.target)
                return await self._many()
            return await self._one(one(order.source, order.target))
        except BrokenPipeError:
            raise
        except DaemonUnavailable as error:
            self.screen.say(shown(words(error)))
            return EXIT_NO_DAEMON
        except FAILURES as error:
            self.screen.say(
                f"{shown(order.source)} to {shown(order.target)}: {shown(words(error))}"
            )
            return EXIT_FAILED

    async def _one(self, task: Task) -> int:
        async with self._connected() as client:
            if self._order.has_bar:
                self._tally.total_bytes = await _size(task, client)
            async with self._drawn():
                await self._do(client)(task, self._moved)
        return EXIT_DONE

    async def _many(self) -> int:
        order = self._order
        async with self._connected() as client:
            work = Many(self._do(client), screen=self.screen, tally=self._tally, jobs=order.jobs)
            async with self._drawn():
                await work.run(many(order.source, order.target, client))
        if isinstance(work.stopped_by, BrokenPipeError):
            raise work.stopped_by
        last = summary(self._tally, work.stopped_by)
        if last is None:
            return EXIT_DONE
        self.screen.say(last)
        return EXIT_NO_DAEMON if isinstance(work.stopped_by, DaemonUnavailable) else EXIT_FAILED

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[aio.Client]:
        async with await aio.connect(self._order.socket) as connection:
            yield connection.client("s3", profile=self._order.profile)

    @asynccontextmanager
    async def _drawn(self) -> AsyncIterator[None]:
        """The bar, if there is one, for the length of a block; done, its last figures stay."""
        if not self._order.has_bar:
            yield
            return
        began = time.monotonic()
        drawing = asyncio.create_task(self.screen.keep_drawing())
        try:
            yield
        finally:
            drawing.cancel()
        self.screen.finish(time.monotonic() - began)

    def _do(self, client: aio.Client) -> Do:
        if self._order.dry_run:
            return _print
        order = self._order
        return Transfers(client, content_type=order.content_type, tells=order.has_bar).do

    def _moved(self, number: int) -> None:
        self._tally.moved_bytes += number


async def _print(task: Task, _moved: Moved) -> None:
    text = f"{shown(task.source)} -> {shown(task.target)}\n"
    os.write(STDOUT, text.encode(errors="backslashreplace"))


async def _size(task: Task, client: aio.Client) -> int | None:
    """How many bytes it has, for the bar; None: it cannot be told, or moves none."""
    source = task.source
    if isinstance(source, S3Place):
        if isinstance(task.target, S3Place):
            return None
        with suppress(RpcError):  # whether it can be copied shows when it is
            head = await client.head_object(Bucket=source.bucket, Key=source.key)
            return int(head["ContentLength"])
        return None
    with suppress(OSError):
        where = source.path if isinstance(source, FilePlace) else STDIN
        return os.stat(where).st_size or None  # noqa: PTH116 - a pipe has none
    return None
