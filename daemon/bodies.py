"""The large part of a job: where the body that it sends comes from, where the answer's goes.

Operations know neither descriptors nor streams. Before one runs, what the peer gave becomes bytes
or a Source; afterwards the Download that it gives is written to a descriptor, or read into memory,
or left to be streamed once the answer is given.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from botod.daemon.file_threads import FileThreads
from botod.daemon.files import FILE_BLOCK_BYTES, open_to_read, open_to_write
from botod.daemon.held import Held
from botod.daemon.job_states import JobState
from botod.daemon.moved import Counted, Moved
from botod.daemon.parts import FileParts, GatheredParts
from botod.daemon.pipes import PeerPipe
from botod.daemon.services.answers import Streamed
from botod.daemon.services.operation import Operation, Params, Result
from botod.daemon.services.shapes import InvalidParam
from botod.daemon.sinks import FilePlace, FileSink, PipeSink, Sink, check_fits
from botod.daemon.sources import PassingSource, file_source, gathered, pipe_reader
from botod.ipc.controls import CHUNK_BYTES
from botod.ipc.descriptors import Descriptor
from botod.ipc.streams import IncomingStream
from botod.pool import wait
from botod.pool.pieces import size_of

SMALL_BYTES = CHUNK_BYTES
"""A body up to this is one piece of a stream: held whole, it needs fewer messages and no care."""


@dataclass(frozen=True)
class Means:
    """What the bodies of all jobs are moved with.

    threads: in which files are read and written. inline_bytes: that may be held of a body whose
    length is not known. unread_timeout_s: for a pipe into which an answer goes.
    """

    threads: FileThreads
    inline_bytes: int
    unread_timeout_s: float


class Bodies:
    """The bodies of one job, to be closed at its end.

    uid: whose files they are. can_stream: the answer may hold a stream. moved: how far they have
    come. streamed: what is to be streamed, after the job.
    """

    streamed: Streamed | None = None
    _sink: Sink | None = None
    _sink_length: int | None = None
    _has_written = False
    _sent: Counted | None = None
    _pipe: PeerPipe | None = None

    def __init__(
        self, operation: Operation, means: Means, held: Held, *, uid: int, can_stream: bool
    ) -> None:
        self.moved = Moved()
        self._operation = operation
        self._means = means
        self._held = held
        self._uid = uid
        self._can_stream = can_stream

    def close(self) -> None:
        if self._pipe is not None:
            self._pipe.close()

    @property
    def has_added(self) -> bool:
        """Whether trying again would write a second time what was written already."""
        return self._sink is not None and self._sink.adds and self._has_written

    def can_repeat(self) -> bool:
        """Whether all can be sent once more, and nothing of what came was written.

        The next answer may be that of another object, and leave the end of this one's behind it.
        """
        return not self._has_written and (self._sent is None or self._sent.can_repeat)

    def opened(self, params: Params) -> Params:
        """The params as the operation takes them; what is of no use is refused here. Parks."""
        sends, receives = self._operation.sends, self._operation.receives
        place_given = params.get(receives)
        if isinstance(place_given, Descriptor):  # else a model's own param, which has the same name
            place = self._open_sink(place_given)
            rest = {name: value for name, value in params.items() if name != receives}
            return rest if place is None else rest | {receives: place}
        if not sends:
            return params
        body, declared = params.get(sends, b""), params.get("ContentLength")
        if isinstance(body, bytes):
            _check_length(declared, len(body))
            self.moved.sent_bytes = len(body)
        else:
            body = self._source(body, declared)
            self._sent = body if isinstance(body, Counted) else None
        return {**params, sends: body}

    def delivered(self, result: Result) -> Result:
        """The result with its body where the peer wants it; a `streamed` one is still in it."""
        name = self._operation.receives
        body = result.get(name) if name else None
        if not isinstance(body, Streamed):
            return result
        if self._sink is not None:
            self._write(body, self._sink)
            rest = {key: value for key, value in result.items() if key != name}
            return {"ContentLength": self.moved.received_bytes} | rest
        if self._can_stream and (body.length_bytes is None or body.length_bytes > SMALL_BYTES):
            self.streamed = body
            return result
        whole = body.whole(self._held.take)
        self.moved.received_bytes = len(whole)
        return result | {name: whole}

    def _open_sink(self, descriptor: Descriptor) -> FilePlace | None:
        """Have a sink; where the answer may be written in any order, it gives a place too."""
        file = open_to_write(descriptor, self._means.threads.of(self._uid))
        self._sink_length = descriptor.length
        if file.is_pipe:
            self._pipe = PeerPipe(descriptor, unread_s=self._means.unread_timeout_s)
            self._sink = PipeSink(self._pipe)
        else:
            self._sink = FileSink(file)
        self._held.take(self._sink.block_bytes)
        if self._sink.adds or not self._operation.in_parts:
            return None
        return FilePlace(file, descriptor.length, self._count_received)

    def _count_received(self, size: int) -> None:
        self.moved.received_bytes += size

    def _write(self, body: Streamed, sink: Sink) -> None:
        try:
            check_fits(body.length_bytes, self._sink_length)
            while pieces := body.read_pieces(sink.block_bytes):
                so_far = self.moved.received_bytes + size_of(pieces)
                check_fits(so_far, self._sink_length)
                self._has_written = True  # perhaps some of it, if that ends early
                sink.write(pieces)
                self.moved.received_bytes = so_far
        except BaseException:
            body.close()
            raise

    def _source(self, given: Descriptor | IncomingStream, declared: int | None) -> Any:
        if isinstance(given, Descriptor):
            return self._from_descriptor(given, declared)
        return self._passing(lambda: wait(given.read(), JobState.PEER), declared)

    def _from_descriptor(self, descriptor: Descriptor, declared: int | None) -> Any:
        file = open_to_read(descriptor, self._means.threads.of(self._uid))
        if file.is_pipe:
            length = descriptor.length
            if length is not None:
                _check_length(declared, length)
            self._pipe = PeerPipe(descriptor, unread_s=self._means.unread_timeout_s)
            read = pipe_reader(self._pipe, length)
            return self._passing(read, declared if length is None else length)
        source = file_source(file)
        _check_length(declared, source.length_bytes)
        if self._operation.in_parts:
            return FileParts(file, source, held=self._held, moved=self.moved)
        self._held.take(min(FILE_BLOCK_BYTES, source.length_bytes))
        return Counted(source, self.moved)

    def _passing(self, read: Callable[[], bytes], length: int | None) -> Any:
        if self._operation.in_parts:
            return GatheredParts(read, length, held=self._held, moved=self.moved)
        if length is not None and length > SMALL_BYTES:
            return Counted(PassingSource(read, length), self.moved)
        most = self._means.inline_bytes if length is None else SMALL_BYTES
        body = gathered(read, most=most, exactly=length, reserve=self._held.take)
        self.moved.sent_bytes = len(body)
        return body


def _check_length(declared: int | None, length: int) -> None:
    if declared is not None and declared != length:
        raise InvalidParam(f"ContentLength is {declared}; Body has {length} bytes")
