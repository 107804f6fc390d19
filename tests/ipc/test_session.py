"""Any order of messages, answers, streams, cancels and hang-ups, on sessions without sockets.

The model is the peers: what each asked for, what it may still send, and what it has heard. Each
request that was accepted is answered once, or its peer is gone; each stream has one end; and when
all is over nothing is held: no byte of the budget, nothing in an account, no descriptor.
"""

import asyncio
import contextlib
import json
import os
from collections import Counter, deque
from collections.abc import Coroutine
from itertools import count
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from botod.ipc.errors import Code, ProtocolError, RpcError
from botod.ipc.exchange import Exchange, Sender, Stage
from botod.ipc.exchanges import Shared
from botod.ipc.framing import MessageLimits
from botod.ipc.limits import Account, Budget, Refusals, ServerLimits
from botod.ipc.session import Session
from botod.ipc.streams import WINDOW_BYTES, IncomingStream, OutgoingStream
from support.ipc import (
    cancel_request,
    envelope,
    line,
    notification,
    stream_credit,
    stream_data,
    stream_end,
)
from support.pools import descriptors_num

LIMITS = ServerLimits(
    message=MessageLimits(inline_bytes=2000),
    in_flight_per_peer=6,
    in_flight_per_uid=9,
    streams_per_peer=4,
    descriptors_per_uid=4,
    buffered_bytes=3 * WINDOW_BYTES,
    unread_bytes=100_000,
)

PEERS = st.integers(0, 1)
PICK = st.integers(0, 1000)


class ModelPeer:
    """One session, and the program at its other end.

    asked: ids of requests that were not answered yet. credit: of its own streams. heard: what came,
    by kind.
    """

    def __init__(self, number: int, shared: Shared, account: Account) -> None:
        self.session = Session(shared, account, self._write, self._write)
        self.session.streams.initial_credit = 100
        self.account = account
        self.sender = Sender(1, account.uid, 0, number)
        self.is_gone = False
        self.is_reading = True
        self.ids = count(1)
        self.stream_numbers = count(1)
        self.asked: Counter[Any] = Counter()
        self.batches: deque[frozenset[int]] = deque()
        self.credit: dict[int, int] = {}
        self.ended: set[int] = set()
        self.coming: dict[int, int] = {}
        self.heard: Counter[str] = Counter()
        self._taken = bytearray()

    def send(self, data: bytes, *fds: int) -> None:
        """Have the session read; a fault of ours would be the test's."""
        self.session.take_descriptors(fds)
        self.session.decoder.feed(data)
        while self.session.take_message(self.sender, now=0.0):
            pass

    def hang_up(self) -> None:
        self.is_gone = True
        self.session.hang_up()

    def read(self, size: int) -> None:
        """Take so many bytes of what waits, and understand what is whole."""
        while size > 0 and (buffers := self.session.outbox.next_buffers()):
            data = b"".join(buffers)[:size]
            size -= len(data)
            self._taken += data
            self.session.outbox.written(len(data))
        while self._understand():
            pass

    def read_all(self) -> None:
        while self.session.outbox:
            self.read(10**9)

    def _write(self) -> None:
        """The test reads when it likes."""

    def _understand(self) -> bool:
        end = self._taken.find(b"\n")
        if end < 0:
            return False
        message = json.loads(self._taken[:end])
        sizes = message.get("bytes", []) if isinstance(message, dict) else []
        if len(self._taken) < end + 1 + sum(sizes):
            return False
        del self._taken[: end + 1 + sum(sizes)]
        if isinstance(message, list):
            for answer in message:
                self._take_answer(answer)
        elif "method" in message:
            self._take_control(message["method"], message["params"], sizes)
        else:
            self._take_answer(message)
        return True

    def _take_answer(self, message: dict[str, Any]) -> None:
        assert self.asked[message["id"]] == 1, f"nobody waits for this: {message}"
        del self.asked[message["id"]]
        self.heard["error" if "error" in message else "result"] += 1
        for number in message.get("streams", []):
            assert number not in self.coming
            self.coming[number] = 100

    def _take_control(self, method: str, params: dict[str, Any], sizes: list[int]) -> None:
        self.heard[method] += 1
        if method == "$/progress":
            assert self.asked[params["id"]] == 1, "progress after the answer"
            return
        number = params["stream"]
        if method == "stream.credit":
            self.credit[number] += params["bytes"]
        elif method == "stream.data":
            self.coming[number] -= sizes[0]
            assert self.coming[number] >= 0, "more came than was granted"
        else:
            assert method == "stream.end"
            del self.coming[number]  # a KeyError: it was never announced, or has ended before


class Sessions(RuleBasedStateMachine):
    """Two peers of one user, and a handler whose work the rules do."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.fds_before = descriptors_num()
        self.exchanges: list[Exchange] = []
        self.streams: list[tuple[Exchange, OutgoingStream]] = []
        self.tasks: set[asyncio.Task[Any]] = set()
        self.budget = Budget(LIMITS.buffered_bytes)
        part = Budget(LIMITS.buffered_bytes, whole=self.budget)
        self.account = Account(1000, part, now=0.0, rate=0)
        shared = Shared(self._handle, LIMITS, Refusals())
        self.peers = [ModelPeer(number, shared, self.account) for number in range(2)]

    def _handle(self, exchange: Exchange) -> None:
        self.exchanges.append(exchange)

    def _peer(self, number: int) -> ModelPeer:
        return self.peers[number]

    def _running(self) -> list[Exchange]:
        return [one for one in self.exchanges if one.stage is Stage.RUNNING]

    def _start(self, work: Coroutine[Any, Any, Any]) -> None:
        task = self.loop.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        self._turns()

    def _turns(self) -> None:
        async def some() -> None:
            for _ in range(4):
                await asyncio.sleep(0)

        self.loop.run_until_complete(some())

    # What peers do

    @rule(
        number=PEERS,
        size=st.sampled_from([0, 0, 1, 1500, 2001]),
        with_fd=st.booleans(),
        with_stream=st.booleans(),
        bad=st.booleans(),
        options=st.sampled_from([{}, {"on_hangup": "finish"}, {"progress": True}]),
    )
    def ask(
        self,
        *,
        number: int,
        size: int,
        with_fd: bool,
        with_stream: bool,
        bad: bool,
        options: dict[str, Any],
    ) -> None:
        """A request with any of what may come beside it, whole and in one piece or in two."""
        peer = self._peer(number)
        if peer.is_gone:
            return
        members: dict[str, Any] = dict(options)
        params: dict[str, Any] = {}
        if size:
            members["bytes"], params["bytes"] = [size], {"$bytes": 0}
        if with_fd:
            members["fds"], params["fd"] = 1, {"$fd": 0}
        if with_stream:
            stream = next(peer.stream_numbers)
            members["streams"], params["stream"] = [stream], {"$stream": stream}
            peer.credit[stream] = 0
        if bad:
            members["colour"] = "red"
        call_id = next(peer.ids)
        peer.asked[call_id] += 1
        fds = [os.open(os.devnull, os.O_RDONLY)] if with_fd else []
        data = line(envelope(call_id, params=params, **members)) + b"x" * size
        peer.send(data[:-1], *fds)
        peer.send(data[-1:])

    @rule(number=PEERS)
    def tell(self, number: int) -> None:
        """A notification."""
        peer = self._peer(number)
        if not peer.is_gone:
            peer.send(notification())

    @rule(number=PEERS, kinds=st.lists(st.sampled_from(["ask", "tell", "nonsense"]), min_size=1))
    def ask_many(self, number: int, kinds: list[str]) -> None:
        """A batch."""
        peer = self._peer(number)
        if peer.is_gone:
            return
        items: list[dict[str, Any]] = []
        for kind in kinds:
            if kind == "tell":
                items.append({"jsonrpc": "2.0", "method": "m"})
                continue
            call_id = next(peer.ids)
            peer.asked[call_id] += 1
            items.append(envelope(call_id) if kind == "ask" else {"id": call_id})
        peer.send(line(items))

    @rule(number=PEERS, pick=PICK)
    def cancel(self, number: int, pick: int) -> None:
        """By an id that runs, is over, or never was."""
        peer = self._peer(number)
        if not peer.is_gone:
            peer.send(cancel_request(pick % 20))

    @rule(number=PEERS, pick=PICK, size=st.sampled_from([1, 1000, 100_000]))
    def send_on(self, number: int, pick: int, size: int) -> None:
        """Data of a stream, as much as there is credit for."""
        peer = self._peer(number)
        open_ones = [one for one, credit in peer.credit.items() if credit and one not in peer.ended]
        if peer.is_gone or not open_ones:
            return
        stream = open_ones[pick % len(open_ones)]
        size = min(size, peer.credit[stream], LIMITS.message.inline_bytes)
        peer.credit[stream] -= size
        peer.send(stream_data(stream, b"x" * size))
        self._turns()

    @rule(number=PEERS, pick=PICK)
    def end_stream(self, number: int, pick: int) -> None:
        """The end of a stream of the peer's, once."""
        peer = self._peer(number)
        open_ones = sorted(peer.credit.keys() - peer.ended)
        if peer.is_gone or not open_ones:
            return
        stream = open_ones[pick % len(open_ones)]
        peer.ended.add(stream)
        peer.send(stream_end(stream))
        self._turns()

    @rule(number=PEERS, pick=PICK, grants=st.booleans())
    def answer_stream(self, number: int, pick: int, grants: bool) -> None:
        """Credit for a stream of ours that is coming, or a cancel of it."""
        peer = self._peer(number)
        if peer.is_gone or not peer.coming:
            return
        stream = sorted(peer.coming)[pick % len(peer.coming)]
        if grants:
            peer.coming[stream] += 1000
            peer.send(stream_credit(stream, 1000))
        else:
            peer.send(notification("stream.cancel", stream=stream))
        self._turns()

    @rule(number=PEERS, size=st.sampled_from([1, 100, 100_000]))
    def read(self, number: int, size: int) -> None:
        """The peer reads some of what waits for it."""
        peer = self._peer(number)
        if not peer.is_gone:
            peer.read(size)
            self._turns()

    @rule(number=PEERS, half=st.booleans())
    def leave(self, number: int, half: bool) -> None:
        """The peer is gone, in the middle of a message or between two."""
        peer = self._peer(number)
        if peer.is_gone:
            return
        if half:
            peer.send(line(envelope(0, bytes=[100], fds=1)), os.open(os.devnull, os.O_RDONLY))
        peer.hang_up()
        self._turns()

    @rule(number=PEERS)
    def fault(self, number: int) -> None:
        """Something that cannot be read ends the conversation."""
        peer = self._peer(number)
        if peer.is_gone:
            return
        bad = {"jsonrpc": "2.0", "method": "stream.end", "params": {}, "fds": 1, "bytes": [3]}
        with pytest.raises(ProtocolError):
            peer.send(line(bad) + b"abc", os.open(os.devnull, os.O_RDONLY))
        peer.session.streams.no_more_comes()
        peer.hang_up()
        self._turns()

    # What the handler does

    @precondition(lambda self: self._running())
    @rule(pick=PICK, fails=st.booleans(), size=st.sampled_from([0, 10, 50_000]))
    def settle(self, pick: int, fails: bool, size: int) -> None:
        """A request is answered."""
        exchange = self._running()[pick % len(self._running())]
        if fails:
            exchange.fail(RpcError(Code.SERVICE_ERROR, "no"))
        else:
            exchange.answer({"x": b"y" * size} if size else None)

    @precondition(lambda self: self._running())
    @rule(pick=PICK, fails=st.booleans())
    def settle_with_stream(self, pick: int, fails: bool) -> None:
        """A request is answered with a stream, or fails after it was opened."""
        exchange = self._running()[pick % len(self._running())]
        if not exchange.can_stream:
            return
        try:
            stream = exchange.open_stream()
        except RpcError as error:
            exchange.fail(error)
            return
        if fails:
            exchange.fail(RpcError(Code.SERVICE_ERROR, "no"))
            return
        exchange.answer({"Body": stream})
        self.streams.append((exchange, stream))

    @precondition(lambda self: self.streams)
    @rule(pick=PICK, how=st.sampled_from(["send", "send", "end", "abort"]))
    def stream_on(self, pick: int, how: str) -> None:
        """More of an answer's stream, or its end; one that waits for credit is left alone."""
        _exchange, stream = self.streams[pick % len(self.streams)]
        if how == "abort":
            stream.abort(RpcError(Code.UNREACHABLE, "broke off"))
        elif not stream.has_message and not stream.is_waiting and not stream.is_over:
            if how == "end":
                stream.end()
            else:
                self._start(self._send(stream))
        self._turns()

    async def _send(self, stream: OutgoingStream) -> None:
        with contextlib.suppress(RpcError):
            await stream.send(b"x" * 500)

    @precondition(lambda self: self._running())
    @rule(pick=PICK)
    def read_stream(self, pick: int) -> None:
        """The handler reads a request's stream to its end, or to its failure."""
        exchange = self._running()[pick % len(self._running())]
        stream = exchange.request.params.get("stream")
        if isinstance(stream, IncomingStream) and stream._reader is None:
            self._start(self._read(stream))

    async def _read(self, stream: IncomingStream) -> None:
        with contextlib.suppress(RpcError):
            while await stream.read():
                pass

    @precondition(lambda self: self._running())
    @rule(pick=PICK)
    def progress(self, pick: int) -> None:
        """The handler tells how far it is, whether somebody listens or not."""
        self.exchanges[pick % len(self.exchanges)].progress({"bytes": 1})

    # What always holds

    @invariant()
    def limits_hold(self) -> None:
        """No limit is passed, and what is counted is what there is."""
        live = [one for one in self.exchanges if one.stage is not Stage.ENDED]
        assert self.account.in_flight_num == len(live) <= LIMITS.in_flight_per_uid
        assert self.account.descriptors_num <= LIMITS.descriptors_per_uid
        held = sum(len(one.brought.descriptors) for one in live)
        assert self.account.descriptors_num == held
        assert self.budget.used_bytes >= sum(one.brought.held_bytes for one in live)
        for peer in self.peers:
            assert len(peer.session.in_flight) <= LIMITS.in_flight_per_peer

    def teardown(self) -> None:
        """All is settled and read: each request has its answer, and nothing is held."""
        with contextlib.closing(self.loop):
            self._finish()

    def _finish(self) -> None:
        for exchange in self._running():
            exchange.answer("at last")
        for _exchange, stream in self.streams:
            stream.abort(RpcError(Code.UNREACHABLE, "broke off"))
        self._turns()
        for peer in self.peers:
            if not peer.is_gone:
                peer.read_all()
                assert not peer.asked, "a request was not answered"
                assert not peer.coming, "a stream has no end"
                peer.hang_up()
        self._turns()
        assert not self.tasks, "somebody waits for a stream for ever"
        assert {one.stage for one in self.exchanges} <= {Stage.ENDED}
        assert self.budget.used_bytes == 0
        assert (self.account.in_flight_num, self.account.descriptors_num) == (0, 0)
        assert descriptors_num() == self.fds_before, "a descriptor was left open"


TestSessions = Sessions.TestCase
TestSessions.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
