"""Multipart uploads that are under way, and the end of those that come to nothing.

S3 keeps, and bills, the parts of an upload until it is completed or aborted. So one that failed, or
whose job was ended, is aborted, by a greenlet of its own; and one whose daemon died is aborted by
the next that starts with the same state directory.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from botod.daemon.services import s3_multipart
from botod.daemon.services.errors import BadAnswer
from botod.daemon.upload_files import OpenUpload, UploadFolder, left_behind
from botod.pool import PoolFull, PoolTimeout, Terms, current_terms, on_terms, sleep, spawn_apart
from botod.pool.bridge import in_thread

from boto.exception import BotoServerError

logger = logging.getLogger(__name__)

Connect = Callable[[], Any]

ConnectOf = Callable[[str], Connect | None]

ABORT_S = 30.0
"""For aborting one upload, with all tries."""

PAUSES_S = (0.0, 0.5, 2.0, 5.0, 10.0)
"""Before each try."""

CLOSE_S = 3.0
"""After the last job, for what is still being aborted; the rest is left for the next start."""

ROUNDS_S = (0.0, 60.0, 600.0)
"""Before each time that what a dead daemon left is tried: at its start the network may not be
there."""


class OpenUploads:
    """All uploads of this process.

    folder: where they are remembered; None: nowhere.
    """

    def __init__(self, folder: UploadFolder | None = None) -> None:
        self._folder = folder
        self._tasks: set[asyncio.Future[Any]] = set()
        self._taking_over: asyncio.Task[None] | None = None

    def of(self, profile: str) -> "ProfileUploads":
        """Those of one profile."""
        return ProfileUploads(self, profile)

    def begin(self, upload: OpenUpload) -> None:
        """Remember it; parks until it is on the disk."""
        folder = self._folder
        if folder is None:
            return
        try:
            in_thread(lambda: folder.write(upload))
        except OSError as error:  # a full disk here is no reason to refuse an upload
            logger.warning("the upload of %s is not remembered: %s", upload, error)

    def end(self, upload: OpenUpload) -> None:
        """Forget it: nothing of it is left."""
        if self._folder is not None:
            loop = asyncio.get_running_loop()
            self._keep(loop.run_in_executor(None, self._folder.remove, upload))

    def abort(self, upload: OpenUpload, connection: Any) -> None:
        """Have it aborted, whatever becomes of the calling greenlet."""
        terms = Terms(key=current_terms().key, idempotent=True)
        self._keep(self._aborting(upload, lambda: connection, terms, self._folder))

    def take_over(self, connect_of: ConnectOf, key: Any) -> None:
        """Abort what processes that died have left, in the background.

        connect_of: what gives a profile's connection in a greenlet; None: there is no such profile.
        key: under which it waits for slots.
        """
        if self._folder is not None:
            taking = self._take_over(self._folder, connect_of, key)
            self._taking_over = asyncio.ensure_future(taking)
            self._keep(self._taking_over)

    async def close(self) -> None:
        """Wait a little for what is being aborted, then let go of the folder."""
        if self._taking_over is not None:
            self._taking_over.cancel()
        if self._tasks:
            _done, left = await asyncio.wait(self._tasks, timeout=CLOSE_S)
            for task in left:
                task.cancel()
            if left:
                await asyncio.wait(left)
        if self._folder is not None:
            await asyncio.to_thread(self._folder.close)

    async def _take_over(self, own: UploadFolder, connect_of: ConnectOf, key: Any) -> None:
        folders = await asyncio.to_thread(left_behind, own)
        try:
            for pause_s in ROUNDS_S:
                await asyncio.sleep(pause_s)
                left = [await self._clear(folder, connect_of, key) for folder in folders]
                if not any(left):
                    return
        finally:
            for folder in folders:
                folder.close()

    async def _clear(self, folder: UploadFolder, connect_of: ConnectOf, key: Any) -> int:
        """Abort what is in a folder; how many are left for another time."""
        left_num = 0
        for upload in await asyncio.to_thread(folder.uploads):
            connect = connect_of(upload.profile)
            if connect is None:
                logger.warning("left by a daemon that died, of no profile: upload of %s", upload)
                continue
            terms = Terms(key=key, idempotent=True)
            left_num += not await self._aborting(upload, connect, terms, folder)
        return left_num

    def _aborting(
        self, upload: OpenUpload, connect: Connect, terms: Terms, folder: UploadFolder | None
    ) -> "asyncio.Future[bool]":
        deadline = asyncio.get_running_loop().time() + ABORT_S
        with on_terms(terms):
            return spawn_apart(deadline, self._abort, upload, connect, folder)

    def _abort(self, upload: OpenUpload, connect: Connect, folder: UploadFolder | None) -> bool:
        """What the greenlet does: whether nothing is left of the upload."""
        try:
            _abort_whole(connect(), upload)
        except Exception as error:  # noqa: BLE001 - a job's border: it is told to the log
            rest = "the next start tries again" if folder else f"abort it by {upload.upload_id}"
            logger.warning("parts may be left of the upload of %s: %s; %s", upload, error, rest)
            return False
        logger.info("aborted the upload of %s", upload)
        if folder is not None:
            in_thread(lambda: folder.remove(upload))  # done before the folder is closed
        return True

    def _keep(self, task: "asyncio.Future[Any]") -> None:
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: "asyncio.Future[Any]") -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            logger.error("remembered uploads: %s", error)


class ProfileUploads:
    """The uploads of one profile."""

    def __init__(self, uploads: OpenUploads, profile: str) -> None:
        self.profile = profile
        self.begin = uploads.begin
        self.end = uploads.end
        self.abort = uploads.abort


def _abort_whole(connection: Any, upload: OpenUpload) -> None:
    """Abort, and again while a part came in meanwhile. Parks. Raises what the last try raised."""
    last: Exception = TimeoutError("parts keep coming")
    for pause_s in PAUSES_S:
        sleep(pause_s)
        try:
            s3_multipart.abort(connection, upload)
            if not s3_multipart.is_known(connection, upload):
                return
        except (BadAnswer, BotoServerError, ConnectionError, PoolFull, PoolTimeout) as error:
            last = error
    raise last
