"""One thing copied: which way its bytes go.

What is small goes beside the message: that takes the daemon no thread and nobody a descriptor. All
else goes by descriptor, and the daemon reads or writes the file; what is no regular file, through
this process. Small files are read and written on the loop: it serves nobody else, and to hand one
to a thread takes longer than to read it.
"""

import asyncio
import io
import mimetypes
import os
import stat
from collections.abc import Awaitable, Callable
from typing import Any

from botod.daemon.commands.cp_names import Unfit, is_regular, no_special_file
from botod.daemon.commands.cp_pipes import PipeReader, write, write_whole
from botod.daemon.commands.cp_places import FilePlace, S3Place, StandardPlace, Task
from botod.ipc.aio import Client
from botod.ipc.errors import Overloaded
from botod.ipc.files import PartFile, is_special
from botod.ipc.sending import SMALL_BYTES

STDIN, STDOUT = 0, 1

CHUNK_BYTES = 256 * 1024

ASK_AGAIN_FOR_S = 60.0
"""How long one thing is asked for again while the daemon has too much to do; as `botod call`."""

SHORTEST_PAUSE_S = 0.05
"""Where the service that is overloaded names no pause."""

Moved = Callable[[int], object]


class Transfers:
    """Copies one thing at a time for each of those who ask.

    content_type: of what is uploaded; None: as its name says.
    """

    def __init__(self, client: Client, *, content_type: str | None, tells: bool) -> None:
        self._client = client
        self._content_type = content_type
        self._tells = tells
        self._made: str | None = None

    async def do(self, task: Task, moved: Moved) -> None:
        """Copy it. moved: is told of bytes as they move, negative where an attempt was in vain.

        Raises RpcError, DaemonUnavailable, OSError, Unfit.
        """
        match task.source, task.target:
            case S3Place() as source, S3Place() as target:
                await self._duplicate(source, target)
                moved(task.size or 0)
            case S3Place() as source, StandardPlace():
                await self._to_descriptor(source, STDOUT, moved)
            case S3Place() as source, FilePlace(path):
                await self._download(source, path, task, moved)
            case StandardPlace(), S3Place() as target:
                await self._from_descriptor(STDIN, target, target.name, moved)
            case FilePlace(path), S3Place() as target:
                await self._upload(path, target, moved)

    async def _duplicate(self, source: S3Place, target: S3Place) -> None:
        whence = {"Bucket": source.bucket, "Key": source.key}
        await _patiently(
            lambda: self._client.copy_object(
                Bucket=target.bucket, Key=target.key, CopySource=whence
            )
        )

    async def _upload(self, path: str, target: S3Place, moved: Moved) -> None:
        name = os.path.basename(path)  # noqa: PTH119 - pathlib costs more than a small file
        if is_regular(path):
            with _opened(path) as file:
                await self._send(file, target, name, moved)
            return
        fd = await asyncio.to_thread(os.open, path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            await self._from_descriptor(fd, target, name, moved)
        finally:
            os.close(fd)

    async def _from_descriptor(self, fd: int, target: S3Place, name: str, moved: Moved) -> None:
        if stat.S_ISREG(os.fstat(fd).st_mode):
            with io.FileIO(fd, closefd=False) as file:
                await self._send(file, target, name, moved)
            return
        extra = self._extra(name)
        # Never again: what was read of it cannot be read twice.
        await self._client.upload_fileobj(
            PipeReader(fd), target.bucket, target.key, extra, self._callback(moved)
        )

    async def _send(self, file: io.FileIO, target: S3Place, name: str, moved: Moved) -> None:
        begin = file.tell()
        if os.fstat(file.fileno()).st_size - begin > SMALL_BYTES:
            callback = self._callback(moved)
            await _patiently(
                lambda: self._client.upload_fileobj(
                    file, target.bucket, target.key, self._extra(name), callback
                )
            )
            return
        data = file.read()
        await _patiently(
            lambda: self._client.put_object(
                Bucket=target.bucket, Key=target.key, Body=data, **self._extra(name)
            )
        )
        moved(len(data))

    async def _download(self, source: S3Place, path: str, task: Task, moved: Moved) -> None:
        if task.makes_folder:
            os.makedirs(path, exist_ok=True)  # noqa: PTH103
            return
        if task.is_in_tree:
            no_special_file(path)
            self._make_folder(os.path.dirname(path))  # noqa: PTH120
        elif is_special(path):
            await self._to_special(source, path, moved)
            return
        if task.size is not None and task.size <= SMALL_BYTES:
            await _patiently(lambda: self._fetch(source, path, moved))
            return
        callback = self._callback(moved)
        await _patiently(
            lambda: self._client.download_file(source.bucket, source.key, path, None, callback)
        )

    def _make_folder(self, path: str) -> None:
        """Those above it too. Files of one folder mostly come one after the other."""
        if path != self._made:
            os.makedirs(path, exist_ok=True)  # noqa: PTH103
            self._made = path

    async def _fetch(self, source: S3Place, path: str, moved: Moved) -> None:
        result = await self._client.get_object(Bucket=source.bucket, Key=source.key)
        with PartFile(path) as part:
            async for chunk in result["Body"].iter_chunks(CHUNK_BYTES):
                write_whole(part.file.fileno(), chunk)
                moved(len(chunk))
            part.keep()

    async def _to_special(self, source: S3Place, path: str, moved: Moved) -> None:
        fd = await asyncio.to_thread(os.open, path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            await self._to_descriptor(source, fd, moved)
        finally:
            os.close(fd)

    async def _to_descriptor(self, source: S3Place, fd: int, moved: Moved) -> None:
        """To a file from where it stands, or to a pipe or a terminal."""
        if stat.S_ISREG(os.fstat(fd).st_mode):
            with io.FileIO(fd, "wb", closefd=False) as file:
                await self._client.download_fileobj(
                    source.bucket, source.key, file, None, self._callback(moved)
                )
            return
        result = await self._client.get_object(Bucket=source.bucket, Key=source.key)
        async with result["Body"] as body:
            async for chunk in body.iter_chunks(CHUNK_BYTES):
                await write(fd, chunk)
                moved(len(chunk))

    def _callback(self, moved: Moved) -> Moved | None:
        """The daemon is asked for news only where they are shown."""
        return moved if self._tells else None

    def _extra(self, name: str) -> dict[str, str]:
        """The ContentType of a file; none where its name says nothing, as S3 has a default."""
        kind = self._content_type or content_type_of(name)
        return {} if kind is None else {"ContentType": kind}


def content_type_of(name: str) -> str | None:
    """By the ending of a name."""
    # With something before it: "data:…" would be taken for a URL.
    return mimetypes.guess_type(f"./{name}")[0]


def _opened(path: str) -> io.FileIO:
    """Raises OSError, and Unfit if it is no regular file any more."""
    # Not waiting for a pipe's other end; to a regular file the flag means nothing.
    file = io.FileIO(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC))
    if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        return file
    file.close()
    raise Unfit("it is no regular file any more")


async def _patiently(ask: Callable[[], Awaitable[Any]]) -> None:
    """Ask again while the daemon has too much to do: it has sent nothing then."""
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + ASK_AGAIN_FOR_S
    while True:
        try:
            await ask()
        except Overloaded as error:
            pause_s = max(error.retry_after_s, SHORTEST_PAUSE_S)
            if loop.time() + pause_s >= give_up_at:
                raise
            await asyncio.sleep(pause_s)
        else:
            return
