"""What a fuzzer drives: all that reads what another process sends, without sockets.

Each target takes any bytes and returns, or it has found a defect: another exception than ours,
more memory held than the limits say, a descriptor left open, bytes or slots not given back.
"""

import asyncio
import os
from collections.abc import Callable, Iterable, Iterator

from botod.ipc.controls import read_control
from botod.ipc.conversation import Conversation
from botod.ipc.descriptors import Descriptor
from botod.ipc.envelope import declared_streams, request_id
from botod.ipc.errors import Code, ProtocolError, RpcError
from botod.ipc.exchange import Exchange, Sender, Stage
from botod.ipc.exchanges import Shared
from botod.ipc.framing import Array, Decoder, Message, MessageLimits, Refused, State
from botod.ipc.limits import Accounts, Budget, Refusals, ServerLimits
from botod.ipc.markers import Declared
from botod.ipc.protocol import encode_error, read_request
from botod.ipc.session import Session
from botod.ipc.streams import OutgoingStream

LIMITS = MessageLimits(line_bytes=8192, inline_bytes=1000)
PIECES_BYTES = (1, 7, 100, 100_000)

CANCELLED = RpcError(Code.CANCELLED, "cancelled")
SENDER = Sender(pid=1, uid=1, gid=1, connection_id=1)


def daemon_side(data: bytes) -> None:
    """What the daemon reads: messages, and what they mean."""
    decoder = Decoder(LIMITS)
    try:
        for _piece in _fed(decoder, data):
            while (event := decoder.next()) is not None:
                if isinstance(event, Refused):
                    _close(event.fds)
                    encode_error(event.request_id, event.error)
                elif not isinstance(event, Array):
                    _read(event)
        assert decoder.state is State.ENDED, f"{decoder!r} at the end of input"
    except ProtocolError as error:
        encode_error(None, error)
    decoder.descriptors.close()


def client_side(data: bytes) -> None:
    """What the client reads: answers, streams, progress."""
    client = Conversation("fuzz")
    (reply,) = client.begin("s3.get_object", {}, {}, on_progress=str).replies
    try:
        for at in range(0, len(data), 100):
            client.receive(data[at : at + 100])
    except ProtocolError as error:
        str(error)
    client.ended(None)
    str(reply.outcome())


def conversation(data: bytes) -> None:
    """A whole session and the work of its requests; then the peer hangs up."""
    asyncio.run(_converse(data))


TARGETS: tuple[Callable[[bytes], None], ...] = (daemon_side, client_side, conversation)


def run_all(data: bytes) -> None:
    """Every target over the same input."""
    for target in TARGETS:
        before = _open_num()
        target(data)
        assert _open_num() == before, f"{target.__name__} leaves descriptors open"


def _fed(
    decoder: Decoder, data: bytes, pass_fds: Callable[[Iterable[int]], None] | None = None
) -> Iterator[bytes]:
    """Feed it in pieces, and the end of input. pass_fds: takes the descriptors.

    The first byte says how large the pieces are, and how many descriptors come with the first.
    """
    how = data[0] if data else 0
    size = PIECES_BYTES[how & 3]
    fds = [os.open(os.devnull, os.O_RDONLY) for _ in range(how >> 2 & 7)]
    (pass_fds or decoder.descriptors.add)(fds)
    for start in range(1, len(data), size):
        piece = data[start : start + size]
        decoder.feed(piece)
        yield piece
        held = max(LIMITS)
        assert len(decoder._buffer) <= held, f"{len(decoder._buffer)} bytes held"
    decoder.feed_eof()
    yield b""


def _read(event: Message) -> None:
    """What the daemon makes of a message. Raises ProtocolError."""
    try:
        if read_control(event) is not None:
            return
        descriptors = tuple(Descriptor(fd) for fd in event.fds)
        streams = {number: object() for number in declared_streams(event.envelope)}
        request = read_request(event, Declared(event.blobs, descriptors, streams))
    except ProtocolError:
        raise
    except RpcError as error:
        encode_error(request_id(event.envelope), error)
    else:
        assert isinstance(request.params, dict)
        encode_error(request.request_id, RpcError(Code.CANCELLED, request.method))
    finally:
        _close(event.fds)


async def _converse(data: bytes) -> None:
    limits = ServerLimits(message=LIMITS, in_flight_per_peer=8, streams_per_peer=4)
    budget, work = Budget(300_000), Work()
    account = Accounts(limits, budget).of(1, now=0.0)
    shared = Shared(work, limits, Refusals())
    session = Session(shared, account, lambda: _write(session), lambda: _write(session))
    try:
        for _piece in _fed(session.decoder, data, session.take_descriptors):
            while session.take_message(SENDER, now=0.0):
                pass
            await asyncio.sleep(0)
    except ProtocolError as error:
        session.tell(encode_error(None, error))
    session.no_more_comes()
    await asyncio.sleep(0)
    session.hang_up()
    await work.end()
    assert not session.in_flight, f"{len(session.in_flight)} requests never ended"
    assert budget.used_bytes == 0, f"{budget.used_bytes} bytes were not given back"
    assert account.descriptors_num == 0, "descriptors were not given back"
    assert account.in_flight_num == 0, "slots were not given back"


class Work:
    """Does what a request's method says."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._later: list[Exchange] = []

    def __call__(self, exchange: Exchange) -> None:
        method = exchange.request.method
        if method == "hello":
            exchange.set_stream_credit(3)
            exchange.answer({})
        elif method == "send" and exchange.can_stream:
            stream = exchange.open_stream()
            exchange.answer({"Body": stream})
            self._tasks.add(asyncio.ensure_future(_send(stream)))
        elif method == "read":
            task = asyncio.ensure_future(_read_all(exchange))
            exchange.on_cancel = task.cancel
            self._tasks.add(task)
            self._later.append(exchange)  # a task that is cancelled before it begins says nothing
        elif method == "later":
            exchange.on_cancel = lambda: exchange.fail(CANCELLED)
            self._later.append(exchange)
        else:
            exchange.answer({"names": list(exchange.request.params)})

    async def end(self) -> None:
        """Settle what is left; every stream is over by now, so that nobody waits."""
        if self._tasks:
            async with asyncio.timeout(10.0):
                await asyncio.wait(self._tasks)
        for task in self._tasks:
            assert task.cancelled() or task.exception() is None, task.exception()
        for exchange in self._later:
            if exchange.stage is Stage.RUNNING:
                exchange.answer(b"late")


async def _send(stream: OutgoingStream) -> None:
    try:
        await stream.send(b"0123456789")
    except RpcError:
        return
    stream.end()


async def _read_all(exchange: Exchange) -> None:
    got = 0
    try:
        for stream in exchange.brought.streams:
            while block := await stream.read():
                got += len(block)
            assert stream.is_whole, "nothing was taken for the end"
    except RpcError as error:
        exchange.fail(error)
    except asyncio.CancelledError:
        if exchange.stage is Stage.RUNNING:
            exchange.fail(CANCELLED)
    else:
        exchange.answer({"got": got})


def _write(session: Session) -> None:
    """Take what is to be written, as a socket with room would."""
    while buffers := session.outbox.next_buffers():
        session.outbox.written(sum(map(len, buffers)))


def _close(fds: tuple[int, ...]) -> None:
    for fd in fds:
        os.close(fd)


def _open_num() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - one less file open
