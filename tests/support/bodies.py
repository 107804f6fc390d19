"""One job's bodies over a fake service, and what a peer may pass."""

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from botod.daemon.bodies import Bodies, Means
from botod.daemon.file_threads import FileThreads
from botod.daemon.held import Held
from botod.daemon.services import SERVICES
from botod.daemon.services.answers import Download
from botod.daemon.services.operation import Params, Result
from botod.ipc.descriptors import Descriptor
from botod.ipc.framing import MAX_INLINE_BYTES
from botod.ipc.limits import Budget, Refusals
from botod.pool import spawn
from support.exchanges import PLENTY_BYTES, incoming
from support.loops import BOUND_S, run
from support.pools import descriptors_num

LARGE = bytes(range(256)) * 12_000
"""Three MiB: some blocks of a file, many turns of a pipe."""


class BodyResponse:
    """An answer that is here already."""

    status = 200

    def __init__(self, body: bytes, *, says_length: bool = True) -> None:
        self._body = body
        self.fields = {"content-length": str(len(body))} if says_length else {}
        self.is_closed = False

    def read_pieces(self, size: int) -> list[bytes]:
        data, self._body = self._body[:size], self._body[size:]
        half = len(data) // 2
        return [piece for piece in (data[:half], data[half:]) if piece]

    def close(self) -> None:
        self.is_closed = True


class Rig:
    """One job's bodies, over a fake service; at the end nothing of them may be left."""

    def __init__(self, *, can_stream: bool = False, total_bytes: int = PLENTY_BYTES) -> None:
        self.budget = Budget(total_bytes)
        self.refusals = Refusals()
        self.held = Held(self.budget, self.refusals)
        self.threads = FileThreads(2)
        self.can_stream = can_stream
        self.inline_bytes = MAX_INLINE_BYTES
        self.unread_timeout_s = BOUND_S
        self.bodies: Bodies | None = None

    def put(self, body: Any, *, tries: int = 1, **params: Any) -> bytes:
        """What the service gets of a body, at its last try."""
        return bytes(self._run("put_object", lambda: self._sent(body, params, tries)))

    def get(self, body: bytes, into: int | None = None, **options: Any) -> Any:
        """The result that a peer gets for an object; written to a descriptor if there is one.

        offset, length: beside the descriptor.
        """
        says_length = options.pop("says_length", True)
        params: Params = {}
        if into is not None:
            params["Body"] = Descriptor(into, **options)
        self.response = BodyResponse(body, says_length=says_length)
        return self._run("get_object", lambda: self._received(params))

    def _run(self, operation: str, call: Callable[[], Any]) -> Any:
        before = descriptors_num()
        result = run(lambda: self._in_greenlet(operation, call))
        # Fewer if a thread of the test's has closed its end meanwhile; a pipe left would be two.
        assert descriptors_num() <= before, "a job leaves descriptors behind"
        self.held.release()
        assert self.budget.used_bytes == 0
        return result

    async def _in_greenlet(self, operation: str, call: Callable[[], Any]) -> Any:
        self.bodies = Bodies(
            SERVICES["s3"].operations[operation],
            Means(self.threads, self.inline_bytes, self.unread_timeout_s),
            self.held,
            uid=7,
            can_stream=self.can_stream,
        )
        self.moved = self.bodies.moved
        async with asyncio.timeout(BOUND_S):
            return await spawn(call)

    def _sent(self, body: Any, params: Params, tries: int) -> bytes:
        assert self.bodies is not None
        with contextlib.closing(self.bodies):
            opened = self.bodies.opened(params | {"Body": body})["Body"]
            if isinstance(opened, bytes):
                return opened
            for _ in range(tries):
                sent = b"".join(opened.blocks())
                assert len(sent) == opened.length_bytes
            return sent

    def _received(self, params: Params) -> Result:
        assert self.bodies is not None
        with contextlib.closing(self.bodies):
            opened = self.bodies.opened(params)
            assert "Body" not in opened
            return self.bodies.delivered({"Body": Download(self.response), "ETag": "x"})


@contextlib.contextmanager
def opened(path: Path, flags: int, content: bytes | None = None) -> Iterator[int]:
    """A descriptor for the length of a block."""
    if content is not None:
        path.write_bytes(content)
    fd = os.open(path, flags | os.O_CLOEXEC, 0o600)
    try:
        yield fd
    finally:
        os.close(fd)


@contextlib.contextmanager
def pipe() -> Iterator[tuple[int, int]]:
    """Both ends of a pipe, closed at the end unless they were before."""
    ends = os.pipe()
    try:
        yield ends
    finally:
        for end in ends:
            with contextlib.suppress(OSError):
                os.close(end)


@contextlib.contextmanager
def thread(call: Callable[[], Any]) -> Iterator[None]:
    """Something that blocks, beside the block."""
    one = threading.Thread(target=call, daemon=True)
    one.start()
    yield
    one.join(BOUND_S)
    assert not one.is_alive()


def write_all(fd: int, data: bytes, *, close: bool = True) -> None:
    """What a peer does to send by a pipe."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
    if close:
        os.close(fd)


async def streamed(one: Rig, pieces: list[Any], **params: Any) -> bytes:
    """What the service gets of a stream."""
    stream = incoming(pieces)
    try:
        return bytes(await one._in_greenlet("put_object", lambda: one._sent(stream, params, 1)))
    finally:
        stream.close()
        one.held.release()
