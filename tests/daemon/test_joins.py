"""Idempotency keys: what is under way, what is remembered, and for how long."""

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from botod.daemon import joins
from botod.daemon.joins import (
    Joins,
    KeyTaken,
    Name,
    fingerprint,
    is_worth_remembering,
    joined_error,
)
from botod.ipc.errors import Code, RpcError
from botod.ipc.exchange import Outcome

ASKED = fingerprint("sqs.send_message", "default", {"MessageBody": "x"})
OTHER = fingerprint("sqs.send_message", "default", {"MessageBody": "y"})
NAME = Name(7, "order-1")
DONE = Outcome({"MessageId": "1"})


def failed(code: Code, **data: Any) -> Outcome:
    """An error that a request came to."""
    return Outcome(error=RpcError(code, "it failed", data))


def test_a_key_is_free_then_under_way_then_remembered() -> None:
    """The life of a key; at the end it is free again."""
    known: Joins[str] = Joins(remember_s=10)
    assert known.find(NAME, ASKED, now=0) is None
    known.begin(NAME, ASKED, "the run")
    assert known.find(NAME, ASKED, now=1) == "the run"
    known.settle(NAME, DONE, now=2)
    assert known.find(NAME, ASKED, now=11.9) is DONE
    assert known.remembered_num == 1
    assert known.find(NAME, ASKED, now=12) is None
    assert known.remembered_num == 0


def test_a_key_belongs_to_one_request() -> None:
    """Used for something else it is refused, whether under way or done."""
    known: Joins[str] = Joins(remember_s=10)
    known.begin(NAME, ASKED, "the run")
    with pytest.raises(KeyTaken):
        known.find(NAME, OTHER, now=0)
    known.settle(NAME, DONE, now=0)
    with pytest.raises(KeyTaken) as caught:
        known.find(NAME, OTHER, now=0)
    assert joined_error(caught.value).code == Code.INVALID_PARAMS
    assert "another method, profile or other params" in joined_error(caught.value).message


def test_users_have_keys_of_their_own() -> None:
    """Nobody learns of another's."""
    known: Joins[str] = Joins(remember_s=10)
    known.begin(NAME, ASKED, "the run")
    known.settle(NAME, DONE, now=0)
    assert known.find(Name(8, NAME.key), OTHER, now=0) is None


def test_nothing_is_remembered_for_no_time() -> None:
    """A key is free as soon as its request is done."""
    known: Joins[str] = Joins(remember_s=0)
    known.begin(NAME, ASKED, "the run")
    known.settle(NAME, DONE, now=0)
    assert known.find(NAME, OTHER, now=0) is None


@pytest.mark.parametrize(
    ("outcome", "remembered"),
    [
        (DONE, True),
        (failed(Code.OUTCOME_UNKNOWN, retryable=False, outcome_unknown=True), True),
        (failed(Code.CANCELLED, outcome_unknown=True), True),
        (failed(Code.CANCELLED, outcome_unknown=False), False),
        (failed(Code.BAD_ANSWER, retryable=False, attempts=1), True),
        (failed(Code.BODY_TOO_LARGE, retryable=False, attempts=1), True),
        (failed(Code.SERVICE_ERROR, retryable=False, attempts=1), False),
        (failed(Code.SERVICE_ERROR, retryable=False, attempts=2), True),
        (failed(Code.SERVICE_ERROR, retryable=True, attempts=4), False),
        (failed(Code.UNREACHABLE, retryable=True, attempts=4), False),
        (failed(Code.DEADLINE_EXCEEDED, retryable=True), False),
        (failed(Code.OVERLOADED, retryable=True), False),
        (failed(Code.SHUTTING_DOWN, retryable=True), False),
        (failed(Code.NO_CREDENTIALS), False),
        (failed(Code.INTERNAL_ERROR), False),
    ],
)
def test_what_is_remembered(outcome: Outcome, remembered: bool) -> None:
    """What was done, or may have been; after anything else trying again is a new try."""
    assert is_worth_remembering(outcome) is remembered
    known: Joins[str] = Joins(remember_s=10)
    known.begin(NAME, ASKED, "the run")
    known.settle(NAME, outcome, now=0)
    assert (known.find(NAME, ASKED, now=0) is outcome) is remembered


@pytest.mark.parametrize("size", [joins.RESULT_BYTES_MAX, joins.RESULT_BYTES_MAX + 1])
def test_large_results_are_not_remembered(size: int) -> None:
    """Whatever their size is made of."""
    text = size - len(NAME.key) - len("Body") - len("More") - 8
    outcome = Outcome({"Body": b"x" * (text // 2), "More": ["y" * (text - text // 2), 1]})
    known: Joins[str] = Joins(remember_s=10)
    known.begin(NAME, ASKED, "the run")
    known.settle(NAME, outcome, now=0)
    assert known.remembered_num == (1 if size <= joins.RESULT_BYTES_MAX else 0)


def settle_many(known: Joins[str], number: int, outcome: Outcome, uid: int = 7) -> None:
    """Have so many requests of a user come to one outcome."""
    for count in range(number):
        known.begin(Name(uid, str(count)), ASKED, "a run")
        known.settle(Name(uid, str(count)), outcome, now=0)


def test_a_user_s_oldest_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Too many of one user cost another nothing."""
    monkeypatch.setattr(joins, "KEYS_MAX", 3)
    known: Joins[str] = Joins(remember_s=10)
    settle_many(known, 1, DONE, uid=8)
    settle_many(known, 5, DONE)
    assert [known.find(Name(7, str(key)), ASKED, now=0) for key in range(5)] == [None] * 2 + [
        DONE
    ] * 3
    assert known.find(Name(8, "0"), ASKED, now=0) is DONE


def test_a_user_s_bytes_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys count like results."""
    monkeypatch.setattr(joins, "BYTES_MAX", 2500)
    known: Joins[str] = Joins(remember_s=10)
    settle_many(known, 9, Outcome({"x": "y" * 1000}))
    assert known.remembered_num == 2


def test_a_fingerprint_is_of_everything_that_is_asked() -> None:
    """Method, profile and params, bytes among them; the order of keys is none of it."""
    params = {"a": 1, "b": {"x": b"\0", "y": ["z"]}}
    same = fingerprint("m", "p", {"b": {"y": ["z"], "x": b"\0"}, "a": 1})
    assert fingerprint("m", "p", params) == same
    others = [
        fingerprint("n", "p", params),
        fingerprint("m", "q", params),
        fingerprint("m", "p", params | {"a": 2}),
        fingerprint("m", "p", params | {"a": "1"}),
        fingerprint("m", "p", params | {"b": {"x": "", "y": ["z"]}}),
        fingerprint("m", "p", params | {"b": {"x": b"\1", "y": ["z"]}}),
    ]
    assert len({same, *others}) == 7
    swapped = fingerprint("m", "p", {"a": b"1", "b": b"2"})
    assert swapped != fingerprint("m", "p", {"a": b"2", "b": b"1"})


class KeysMachine(RuleBasedStateMachine):
    """Random requests with few keys, against a list of all that was ever settled."""

    def __init__(self) -> None:
        super().__init__()
        self.known: Joins[int] = Joins(remember_s=10)
        self.now = 0.0
        self.underway: dict[Name, tuple[bytes, int]] = {}
        self.done: dict[Name, tuple[bytes, Outcome, float]] = {}
        self.runs = 0

    names = st.builds(Name, st.integers(0, 1), st.sampled_from("ab"))

    @rule(name=names, asked=st.sampled_from([ASKED, OTHER]))
    def ask(self, name: Name, asked: bytes) -> None:
        """A request with a key: it runs, joins, is remembered, or is refused."""
        expected: Any = None
        of_whom = b""
        if name in self.underway:
            of_whom, expected = self.underway[name]
        elif name in self.done and self.done[name][2] + 10 > self.now:
            of_whom, expected, _at = self.done[name]
        if expected is not None and of_whom != asked:
            with pytest.raises(KeyTaken):
                self.known.find(name, asked, now=self.now)
            return
        assert self.known.find(name, asked, now=self.now) == expected
        if expected is None:
            self.runs += 1
            self.known.begin(name, asked, self.runs)
            self.underway[name] = (asked, self.runs)
            self.done.pop(name, None)

    @precondition(lambda self: self.underway)
    @rule(data=st.data(), works=st.booleans())
    def settle(self, data: st.DataObject, works: bool) -> None:
        """A request is done, or has failed so that it may be tried again."""
        name = data.draw(st.sampled_from(sorted(self.underway)))
        asked, number = self.underway.pop(name)
        outcome = Outcome({"n": number}) if works else failed(Code.OVERLOADED, retryable=True)
        self.known.settle(name, outcome, now=self.now)
        if works:
            self.done[name] = (asked, outcome, self.now)

    @rule(seconds=st.sampled_from([0.5, 4.0, 10.0]))
    def pass_time(self, seconds: float) -> None:
        """The clock goes on."""
        self.now += seconds

    @invariant()
    def no_more_is_kept_than_was_settled(self) -> None:
        """What has expired goes at the next call at the latest."""
        assert self.known.remembered_num <= len(self.done)


KeysMachine.TestCase.settings = settings(max_examples=60, deadline=None)
TestKeys = KeysMachine.TestCase
