"""One request, from its acceptance to its end."""

from typing import Any

import pytest

from botod.ipc.errors import Code, RpcError
from botod.ipc.exchange import (
    TRANSITIONS,
    Brought,
    Exchange,
    Happening,
    Outcome,
    Sender,
    Stage,
)
from botod.ipc.limits import Budget
from botod.ipc.protocol import Request
from botod.ipc.streams import OutgoingStream, StreamState

FAILED = RpcError(Code.SERVICE_ERROR, "no")
GONE = RpcError(Code.CANCELLED, "gone")
SENDER = Sender(pid=1, uid=2, gid=3, connection_id=4)


class Session:
    """What an exchange tells those who made it."""

    def __init__(
        self, *, reads_streams: bool = True, is_notification: bool = False, **options: Any
    ) -> None:
        self.events: list[Any] = []
        self.streams: list[OutgoingStream] = []
        call_id = None if is_notification else 7
        self.exchange = Exchange(
            Request(call_id, is_notification, "m", {}, options),
            SENDER,
            Brought(),
            Budget(0),
            self,
            can_stream=reads_streams,
        )

    def deliver(self, _exchange: Exchange, outcome: Outcome) -> None:
        self.events.append(outcome)

    def end(self, _exchange: Exchange) -> None:
        self.events.append("end")

    def tell_progress(self, _exchange: Exchange, value: dict[str, Any]) -> None:
        self.events.append(value)

    def set_stream_credit(self, size: int) -> None:
        self.events.append(size)

    def make_stream(self) -> OutgoingStream:
        stream = OutgoingStream(
            len(self.streams) + 1, credit_bytes=0, on_ready=lambda _stream: None
        )
        self.streams.append(stream)
        return stream


def written(stream: OutgoingStream) -> None:
    """Have what a stream has to say written."""
    while stream.has_message:
        stream.next_message()


def in_stage(stage: Stage) -> Session:
    """A session whose exchange has come so far."""
    session = Session()
    if stage is Stage.STREAMING:
        session.exchange.open_stream()
    if stage is not Stage.RUNNING:
        session.exchange.answer("first")
    assert session.exchange.stage is stage
    return session


# The table


@pytest.mark.parametrize(("pair", "stage"), TRANSITIONS.items(), ids=str)
def test_what_may_happen_leads_on(pair: tuple[Stage, Happening], stage: Stage) -> None:
    """Each pair in the table, and where it leads."""
    session = in_stage(pair[0])
    session.exchange._move(pair[1])
    assert session.exchange.stage is stage


@pytest.mark.parametrize(
    ("stage", "happening"),
    [
        (stage, happening)
        for stage in Stage
        for happening in Happening
        if (stage, happening) not in TRANSITIONS
    ],
)
def test_what_may_not_happen_is_named(stage: Stage, happening: Happening) -> None:
    """Each pair that is not in the table: stage and happening stand in the words."""
    session = in_stage(stage)
    with pytest.raises(AssertionError) as caught:
        session.exchange._move(happening)
    assert f"{stage.value}>: {happening.value}" in str(caught.value)
    assert session.exchange.stage is stage


def test_the_table_leads_from_running_to_the_end() -> None:
    """Every stage can be reached, none is left alone, and nothing follows the end."""
    reached = {Stage.RUNNING, *TRANSITIONS.values()}
    left = {stage for stage, _happening in TRANSITIONS}
    assert reached == set(Stage)
    assert left == set(Stage) - {Stage.ENDED}
    assert {happening for _stage, happening in TRANSITIONS} == set(Happening)


# Settling


def test_an_answer_ends_it() -> None:
    """The outcome is delivered, and then it is over."""
    session = Session()
    session.exchange.answer({"a": 1})
    assert session.events == [Outcome({"a": 1}), "end"]
    assert session.exchange.stage is Stage.ENDED


def test_a_failure_ends_it() -> None:
    """The error is delivered, and then it is over."""
    session = Session()
    session.exchange.fail(FAILED)
    assert session.events == [Outcome(None, FAILED), "end"]


@pytest.mark.parametrize("stage", [Stage.STREAMING, Stage.ENDED])
@pytest.mark.parametrize("settle", [lambda one: one.answer(1), lambda one: one.fail(FAILED)])
def test_it_is_settled_once(stage: Stage, settle: Any) -> None:
    """A second answer is a mistake of ours, which the peer does not get to see."""
    session = in_stage(stage)
    before = list(session.events)
    with pytest.raises(AssertionError):
        settle(session.exchange)
    assert session.events == before
    assert session.exchange.stage is stage
    assert all(stream.state is StreamState.OPEN for stream in session.streams)


def test_whose_answer_cannot_be_delivered_is_known() -> None:
    """In a log line one sees method, id and how far it is."""
    session = Session()
    assert repr(session.exchange) == "<Exchange m 7 running>"
    session.exchange.answer(None)
    assert repr(session.exchange) == "<Exchange m 7 ended>"


# Streams in the answer


def test_with_streams_it_goes_on_until_the_last_has_ended() -> None:
    """The answer goes first, with their numbers; the end comes when all is written."""
    session = Session()
    first, second = session.exchange.open_stream(), session.exchange.open_stream()
    session.exchange.answer([first, second])
    assert session.events == [Outcome([first, second], None, {first: 1, second: 2})]
    first.end()
    written(first)
    assert session.exchange.stage is Stage.STREAMING
    second.end()
    assert session.exchange.stage is Stage.STREAMING
    written(second)
    assert session.exchange.stage is Stage.ENDED
    assert session.events[1:] == ["end"]


def test_a_stream_that_broke_counts_as_ended() -> None:
    """However a stream ends, its request ends with it."""
    session = Session()
    stream = session.exchange.open_stream()
    session.exchange.answer(stream)
    stream.break_off(GONE)
    assert session.events[1:] == ["end"]


def test_a_stream_may_be_over_before_the_answer() -> None:
    """The peer hung up meanwhile: the answer ends it at once, and once."""
    session = Session()
    streams = [session.exchange.open_stream() for _ in range(2)]
    for stream in streams:
        stream.break_off(GONE)
    session.exchange.answer(streams)
    assert session.exchange.stage is Stage.ENDED
    assert session.events[1:] == ["end"]


def test_a_failure_breaks_its_streams() -> None:
    """Nothing is said of them: the peer never heard of them."""
    session = Session()
    stream = session.exchange.open_stream()
    session.exchange.fail(FAILED)
    assert stream.state is StreamState.BROKEN
    assert not stream.has_message
    assert session.events == [Outcome(None, FAILED), "end"]


def test_streams_are_for_peers_that_read_them_and_opened_in_time() -> None:
    """Anything else is a mistake of ours."""
    session = Session(reads_streams=False)
    assert not session.exchange.can_stream
    with pytest.raises(AssertionError, match="cannot read"):
        session.exchange.open_stream()
    session = in_stage(Stage.ENDED)
    assert session.exchange.can_stream
    with pytest.raises(AssertionError, match="before the answer"):
        session.exchange.open_stream()


# Cancel and hang-up


def test_a_cancel_reaches_the_work_once() -> None:
    """The handler still settles it, as it can."""
    session, told = Session(), list[str]()
    session.exchange.on_cancel = lambda: told.append("cancel")
    session.exchange.cancel()
    session.exchange.cancel()
    assert told == ["cancel"]
    assert session.exchange.is_cancelled
    assert session.events == []
    session.exchange.answer("done already")
    assert session.events == [Outcome("done already"), "end"]


def test_a_handler_may_settle_it_when_it_is_cancelled() -> None:
    """At once, in the call that tells it."""
    session = Session()
    session.exchange.on_cancel = lambda: session.exchange.fail(GONE)
    session.exchange.cancel()
    assert session.events == [Outcome(None, GONE), "end"]


def test_work_that_cannot_be_ended_goes_on() -> None:
    """Without on_cancel nobody is told; that it was cancelled is known."""
    session = Session()
    session.exchange.cancel()
    assert session.exchange.is_cancelled
    assert session.exchange.stage is Stage.RUNNING


def test_a_cancel_while_it_streams_ends_the_streams() -> None:
    """With the reason, which the peer reads; the work's own cancel is not for it any more."""
    session, told = Session(), list[str]()
    session.exchange.on_cancel = lambda: told.append("cancel")
    stream = session.exchange.open_stream()
    session.exchange.answer(stream)
    session.exchange.cancel()
    assert stream.state is StreamState.BROKEN
    assert stream.has_message
    written(stream)
    assert session.events[1:] == ["end"]
    assert told == []


def test_a_cancel_before_the_answer_says_nothing_of_its_streams() -> None:
    """The peer has not heard of them; an answer that would hold them is an error then."""
    session = Session()
    stream = session.exchange.open_stream()
    session.exchange.cancel()
    assert stream.state is StreamState.BROKEN
    assert not stream.has_message
    session.exchange.answer({"Body": stream})
    (outcome, end) = session.events
    assert outcome.error.code == Code.CANCELLED
    assert end == "end"


@pytest.mark.parametrize("stage", [Stage.ENDED])
def test_a_cancel_after_the_end_is_nothing(stage: Stage) -> None:
    """It was on its way when the answer was."""
    session, told = in_stage(stage), list[str]()
    session.exchange.on_cancel = lambda: told.append("cancel")
    session.exchange.cancel()
    assert told == []


@pytest.mark.parametrize(
    ("session", "goes_on"),
    [
        (Session(), False),
        (Session(on_hangup="cancel"), False),
        (Session(on_hangup="finish"), True),
        (Session(is_notification=True), True),
        (Session(is_notification=True, on_hangup="cancel"), True),
    ],
)
def test_what_goes_on_without_the_peer(session: Session, goes_on: bool) -> None:
    """What nobody waits for anyway, and what was asked to."""
    assert session.exchange.goes_on_after_hang_up is goes_on


# Progress


def test_progress_is_told_to_who_asked_for_it() -> None:
    """While it runs, and never after the answer."""
    session = Session(progress=True)
    session.exchange.progress({"bytes_sent": 1})
    session.exchange.answer(None)
    session.exchange.progress({"bytes_sent": 2})
    assert session.events == [{"bytes_sent": 1}, Outcome(None), "end"]


@pytest.mark.parametrize(
    "session",
    [
        Session(),
        Session(progress=False),
        Session(progress=1),
        Session(progress="true"),
        Session(progress=True, is_notification=True),
    ],
)
def test_others_are_told_nothing(session: Session) -> None:
    """Only true asks for it, and a notification has no id to tell it under."""
    session.exchange.progress({"bytes_sent": 1})
    assert session.events == []


def test_no_progress_after_an_answer_with_streams() -> None:
    """The answer is the last word of the request; streams have messages of their own."""
    session = Session(progress=True)
    session.exchange.answer(session.exchange.open_stream())
    session.exchange.progress({"bytes_sent": 1})
    assert len(session.events) == 1
