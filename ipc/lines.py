"""The connections of one client: each request has one to itself until its answer is whole.

So threads never wait for each other, and a body that nobody reads holds up nobody else: it keeps
its own connection, with half a MiB on the way, until it is closed or the daemon ends it. Idle
connections lie in a deque, which needs no lock; what was inherited through a fork is never written
to, only its copy is closed.
"""

from __future__ import annotations

import time
from collections import deque

from botod.ipc.errors import DaemonUnavailable
from botod.ipc.flows import Inflow
from botod.ipc.line import Line
from botod.ipc.reply import nothing_done
from botod.ipc.requests import GRACE_S
from botod.ipc.retrying import Retrying
from botod.ipc.sending import piece_reader
from botod.ipc.streaming import StreamingBody, body_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from botod.ipc.conversation import Begin
    from botod.ipc.reply import Reply
    from botod.ipc.writing import Written

IDLE_MAX = 8
"""Connections kept for later; making one takes some 50 µs."""


class Lines:
    """The connections to the daemon at `path`. timeout_s: for making one."""

    def __init__(self, path: str, *, timeout_s: float, wait_s: float) -> None:
        self.path = path
        self._timeout_s = timeout_s
        self._wait_s = wait_s
        self._idle: deque[Line] = deque()
        self._is_closed = False

    def open(self) -> None:
        """Make the first connection. Raises DaemonUnavailable."""
        self._idle.append(self._new(Retrying(self._wait_s)))

    def close(self) -> None:
        """Hang up all that is idle; what is in use is, once it is given back."""
        self._is_closed = True
        self._forget_idle()

    def ask(self, begin: Begin) -> tuple[Line, Written]:
        """Do what one message asks for; its replies are settled.

        The connection is given back, unless an Inflow is in a result. Raises DaemonUnavailable.
        """
        retrying = Retrying(self._wait_s)
        line = self._taken(retrying)
        while True:
            asked = self._asked(line, begin)
            nothing = nothing_done(asked.replies)
            if nothing is None:
                return line, asked
            self._forget_idle()  # what failed one will most likely fail all
            _pause(retrying, nothing)
            line = self._new(retrying)

    def do(
        self,
        method: str,
        params: dict[str, Any],
        options: Mapping[str, Any],
        *,
        reads_streams: bool = False,
        on_progress: Callable[[Any], object] | None = None,
    ) -> Any:
        """Do one request; a body that still comes is a StreamingBody in the result.

        reads_streams: whether one that is here is, too.
        """
        line, asked = self.ask(
            lambda conversation: conversation.begin(
                method, params, options, reads_streams=reads_streams, on_progress=on_progress
            )
        )
        reply = asked.replies[0]
        result = reply.result()
        if reads_streams and isinstance(result, dict):
            body = body_name(method)
            if isinstance(result.get(body), bytes):
                result[body] = StreamingBody(result[body])
        if reply.has_inflow:
            for name, value in result.items():
                if isinstance(value, Inflow):
                    rest = Rest(self, line, value, timeout_s=asked.timeout_s)
                    result[name] = StreamingBody(pull=rest.pull, hang_up=rest.hang_up)
        return result

    def give_back(self, line: Line) -> None:
        """Keep a connection for the next request, if it is good for one."""
        if line.is_usable and not self._is_closed and len(self._idle) < IDLE_MAX:
            self._idle.append(line)
        else:
            line.close()

    def _asked(self, line: Line, begin: Begin) -> Written:
        is_kept = False
        try:
            asked = begin(line.conversation)
            deadline = time.monotonic() + asked.timeout_s + GRACE_S
            line.send(asked, deadline)
            first = asked.replies[0]
            if first.source is not None:
                _send_stream(line, first, deadline)
            for reply in asked.replies:
                while not reply.is_done:
                    line.pump(deadline)
            is_kept = first.has_inflow  # no other can have one: arrays declare nothing
        finally:
            if not is_kept:
                self.give_back(line)
        return asked

    def _taken(self, retrying: Retrying) -> Line:
        if self._is_closed:
            raise DaemonUnavailable("this connection is closed; connect anew")
        while True:
            try:
                line = self._idle.pop()
            except IndexError:
                return self._new(retrying)
            if line.is_ours:
                return line
            line.close()

    def _new(self, retrying: Retrying) -> Line:
        while True:
            try:
                return Line(self.path, timeout_s=self._timeout_s)
            except DaemonUnavailable as error:
                _pause(retrying, error)

    def _forget_idle(self) -> None:
        while self._idle:
            try:
                self._idle.pop().close()
            except IndexError:  # another thread took the last one
                return


class Rest:
    """What is still to come of a body, on a connection of its own.

    timeout_s: how long nothing may come.
    """

    def __init__(self, lines: Lines, line: Line, inflow: Inflow, *, timeout_s: float) -> None:
        self._lines = lines
        self._line: Line | None = line
        self._inflow = inflow
        self._timeout_s = timeout_s

    def pull(self) -> bytes:
        """The next bytes; b"" at the end. Raises RpcError, DaemonUnavailable: it is not whole."""
        while (piece := self._inflow.take()) is None:
            self._held().pump(self._deadline())
        credit = self._inflow.credit()
        if credit is not None:
            self._held().send(credit, self._deadline())
        if not piece and self._line is not None:
            line, self._line = self._line, None
            self._lines.give_back(line)
        return piece

    def hang_up(self) -> None:
        """Nobody reads on: what is on its way would have to be read first, so it is let go."""
        line, self._line = self._line, None
        if line is not None:
            line.close()

    def _held(self) -> Line:
        assert self._line is not None, "a body that has ended is read on"
        return self._line

    def _deadline(self) -> float:
        return time.monotonic() + self._timeout_s


def _send_stream(line: Line, reply: Reply, deadline: float) -> None:
    """Send what belongs to a request as fast as the daemon lets it come, while it is wanted."""
    assert reply.outflow is not None, "what has a source has a stream"
    assert reply.source is not None, "called for what sends nothing"
    outflow, read = reply.outflow, piece_reader(reply.source)
    while outflow.is_wanted:
        if not outflow.room_bytes:
            line.pump(deadline)
            continue
        piece = read(outflow.room_bytes)
        if not piece:
            line.send(outflow.end(), deadline)
            return
        line.send(outflow.data(piece), deadline)


def _pause(retrying: Retrying, error: Exception) -> None:
    """Wait before another try. Raises the error if there is to be none."""
    pause_s = retrying.pause_s(error, now=time.monotonic())
    if pause_s:
        time.sleep(pause_s)
