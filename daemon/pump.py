"""Sends an answer's body as a stream, after the answer."""

from collections.abc import Callable

from botod.daemon.job_states import JobState
from botod.daemon.moved import Moved
from botod.daemon.services.answers import ANSWER_BLOCK_BYTES, Streamed
from botod.ipc.errors import RpcError
from botod.ipc.streams import OutgoingStream
from botod.pool import spawn, wait
from botod.pool.spawned import Spawned


class Pump:
    """Moves a body from the service to a peer, as fast as the slower of the two.

    The job's deadline ended with its answer. What bounds this is silence: the service's by the
    pool's idle timeout, the peer's by the wire's, which breaks the stream off.

    explain: the wire's error for what ended the body too soon. gone: the same, if that was a
    cancel. error: what became of it; None: the stream was whole.
    """

    def __init__(
        self,
        body: Streamed,
        stream: OutgoingStream,
        *,
        moved: Moved,
        explain: Callable[[Exception], RpcError],
        gone: Callable[[], RpcError],
    ) -> None:
        self.error: RpcError | None = None
        self._body = body
        self._stream = stream
        self._moved = moved
        self._explain = explain
        self._gone = gone

    def start(self, name: str) -> Spawned[None]:
        """Begin. When the future is done, the stream has ended."""
        future = spawn(self._run)
        future.name = name
        future.add_done_callback(self._end)
        self._stream.on_break = future.cancel
        return future

    def _run(self) -> None:
        try:
            while block := self._next():
                wait(self._stream.send(block), JobState.PEER)
                self._moved.received_bytes += len(block)
        except Exception as error:  # noqa: BLE001 - a job's border: its peer gets one of the wire
            self.error = self._explain(error)

    def _next(self) -> bytes:
        if self._body.wants_room:
            wait(self._stream.room(), JobState.PEER)
        return self._body.read(ANSWER_BLOCK_BYTES)

    def _end(self, future: object) -> None:
        assert isinstance(future, Spawned), "not what was started"
        if future.cancelled():
            self.error = self._gone()
        self._body.close()
        self._stream.on_break = None
        if self.error is None:
            self._stream.end()
        else:
            self._stream.abort(self.error)
