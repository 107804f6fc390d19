"""A job under way, and the exchanges that wait for what it comes to."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botod.daemon.bodies import Bodies
from botod.daemon.gathering import Together
from botod.daemon.held import Held
from botod.daemon.job import Job, cancelled, overdue, traced
from botod.daemon.options import Options
from botod.daemon.policy import Permit
from botod.daemon.progress import Progress
from botod.daemon.upstreams import Upstream
from botod.ipc.errors import RpcError
from botod.ipc.exchange import Exchange, Outcome, Sender
from botod.ipc.streams import OutgoingStream

if TYPE_CHECKING:
    from botod.daemon.claims import Claim
    from botod.pool.spawned import Spawned


@dataclass(eq=False, slots=True)
class _Wish:
    """How one exchange waits; nobody changes it.

    timer: ends its waiting. again: what to do when the job has ended, instead of telling.
    """

    options: Options
    timer: asyncio.TimerHandle | None = None
    again: Callable[[], None] | None = None


class Run:
    """One job under way.

    upstream: whom it talks to. sender: who asked for it first, and of which unit. permit: on which
    it is done. bodies: those of the job; moved: how far they have come. held: the memory that it
    holds. began: on the loop's clock. future: its greenlet. together: how it travels with others;
    None: it goes alone. claim: on its key, where several workers share keys. is_ending: nobody
    waited any more, so it was cancelled: who comes now asked for a job, not for its end.
    is_elsewhere: another worker does it. number: by which the audit record and an administrator
    call it. is_streaming: it is answered, and `future` sends the rest of the answer.
    """

    future: "Spawned[Any]"
    number: int
    claim: "Claim | None" = None
    together: Together | None = None
    unit: str | None = None
    is_ending = False
    is_elsewhere = False
    is_streaming = False
    _is_killed = False
    _progress: Progress | None = None

    def __init__(
        self,
        job: Job,
        upstream: Upstream,
        *,
        sender: Sender,
        permit: Permit,
        bodies: Bodies,
        held: Held,
        began: float,
    ) -> None:
        self.job = job
        self.upstream = upstream
        self.sender = sender
        self.permit = permit
        self.bodies = bodies
        self.moved = bodies.moved
        self.held = held
        self.began = began
        self._waiting: dict[Exchange, _Wish] = {}

    def travels(self, together: Together) -> None:
        """Take note that the job is one of several in a request."""
        self.together = together

    def wait(self, exchange: Exchange) -> None:
        """Have `exchange` told the outcome. The job is cancelled with the last who waits."""
        self._take(exchange, _Wish(self.job.options))

    def _take(self, exchange: Exchange, wish: _Wish) -> None:
        self._waiting[exchange] = wish
        exchange.on_cancel = lambda: self._leave(exchange)
        if wish.options.progress and self._progress is None:
            self._progress = Progress(self._so_far, self._tell_progress)
            self._progress.start()

    def join(self, exchange: Exchange, job: Job) -> None:
        """Have `exchange` told the outcome as if its own `job` were run, until that's deadline."""
        self._take(exchange, _Wish(job.options, self._timer(exchange, job)))

    def follow(self, exchange: Exchange, job: Job, again: Callable[[], None]) -> None:
        """Have `again` called when this one has ended, if `exchange` still waits then."""
        self._take(exchange, _Wish(job.options, self._timer(exchange, job), again))

    def settle(self, outcome: Outcome) -> None:
        """Tell all who wait."""
        for exchange, wish in self._taken().items():
            if wish.again is None:
                settle(exchange, outcome, wish.options)
            else:
                wish.again()

    def answer_with_stream(self, result: dict[str, Any]) -> OutgoingStream:
        """Answer the one who waits; what is in the body's place goes by the stream.

        Raises RpcError if there may be no stream; nobody is answered then.
        """
        (exchange,) = self._waiting
        if exchange.is_cancelled:
            raise cancelled(self.job)
        stream = exchange.open_stream()
        self._taken()
        exchange.answer(result | {self.job.operation.receives: stream})
        return stream

    def streams(self, future: "Spawned[None]") -> None:
        """Take note that it is answered, and what sends the stream in its answer."""
        self.is_streaming = True
        self.future = future

    def kill(self) -> None:
        """End it, whoever waits for it: an administrator's doing, which they are told."""
        self._is_killed = True
        self._cancel()

    def cancelled(self, written: Mapping[str, Any] | None = None) -> RpcError:
        """The wire's error for those who wait, or read its stream, once it was ended.

        written: see `job.cancelled`.
        """
        return cancelled(self.job, written, is_killed=self._is_killed)

    def _timer(self, exchange: Exchange, job: Job) -> asyncio.TimerHandle:
        loop = asyncio.get_running_loop()
        return loop.call_at(job.deadline, self._expire, exchange, job)

    def _expire(self, exchange: Exchange, job: Job) -> None:
        """The deadline of an `exchange` that joined has passed: it is told just that."""
        self._tell(exchange, overdue(job))
        if not self._waiting:
            self._cancel()

    def _leave(self, exchange: Exchange) -> None:
        """`exchange` was cancelled. The last one stays for the outcome of the cancelled job."""
        if len(self._waiting) == 1 and self._waiting[exchange].again is None:
            self._cancel()
        else:
            self._tell(exchange, cancelled(self.job))

    def _cancel(self) -> None:
        self.is_ending = True
        self.future.cancel()

    def _tell(self, exchange: Exchange, error: RpcError) -> None:
        """End the waiting of one."""
        wish = self._waiting.pop(exchange)
        _let_go(exchange, wish)
        settle(exchange, Outcome(error=error), wish.options)

    def _taken(self) -> dict[Exchange, _Wish]:
        """Those who waited; nothing of theirs calls here any more."""
        waiting, self._waiting = self._waiting, {}
        if self._progress is not None:
            self._progress.stop()
        for exchange, wish in waiting.items():
            _let_go(exchange, wish)
        return waiting

    def _so_far(self) -> dict[str, Any]:
        return {
            "bytes_sent": self.moved.sent_bytes,
            "bytes_received": self.moved.received_bytes,
            "attempts": self.job.terms.attempts_num,
        }

    def _tell_progress(self, value: dict[str, Any]) -> None:
        for exchange in list(self._waiting):  # one may be found gone, and leave
            exchange.progress(value)


def settle(exchange: Exchange, outcome: Outcome, options: Options) -> None:
    """Tell one exchange what its request came to."""
    if outcome.error is None:
        exchange.answer(outcome.result)
    else:
        exchange.fail(traced(outcome.error, options))


def _let_go(exchange: Exchange, wish: _Wish) -> None:
    exchange.on_cancel = None
    if wish.timer is not None:
        wish.timer.cancel()
