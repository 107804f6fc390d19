"""Requests that are one and the same by their idempotency key: done once, answered each.

A request joins an earlier one of the same user with the same key: while that is under way it waits
for the same outcome, afterwards it is given the outcome that is remembered. No I/O; the time is an
argument. It is this process's memory, and none of it survives a restart. Where several workers
share a keys file it knows only what is under way here, and `claims` what the others have.
"""

import hashlib
import json
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

from botod.daemon.services.operation import Params
from botod.ipc.errors import Code, RpcError
from botod.ipc.exchange import Outcome

T = TypeVar("T")

KEYS_MAX = 16_384
"""Outcomes remembered of one user; beyond, the oldest goes. An entry takes about a KiB."""

BYTES_MAX = 16 * 1024 * 1024
"""Of one user's remembered results: as much as one message may carry."""

RESULT_BYTES_MAX = 64 * 1024
"""A larger result is not remembered: those that ask for a key's sake are a few hundred bytes."""

PLAIN_BYTES = 8
"""What a number, true, false or null counts."""

ACTED = frozenset({Code.BAD_ANSWER, Code.BODY_TOO_LARGE, Code.OUTCOME_UNKNOWN})
"""Errors after which the service has acted, or may have."""


class Name(NamedTuple):
    """Whose key."""

    uid: int
    key: str


class KeyTaken(Exception):
    """The key belongs to a request that asked for something else."""


@dataclass(frozen=True)
class _Underway(Generic[T]):
    asked: bytes
    run: T


@dataclass(frozen=True)
class _Remembered:
    asked: bytes
    outcome: Outcome
    settled_at: float
    size: int


class _User:
    """What is remembered of one user, oldest first."""

    def __init__(self) -> None:
        self.by_key: OrderedDict[str, _Remembered] = OrderedDict()
        self.size = 0

    def add(self, key: str, entry: _Remembered) -> None:
        self.by_key[key] = entry
        self.size += entry.size
        while len(self.by_key) > KEYS_MAX or self.size > BYTES_MAX:
            self._drop_oldest()

    def expire(self, before: float) -> None:
        while self.by_key and next(iter(self.by_key.values())).settled_at <= before:
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        _key, entry = self.by_key.popitem(last=False)
        self.size -= entry.size


class Joins(Generic[T]):
    """The keys that are under way or remembered. T: what a request under way is to its owner.

    remember_s: how long an outcome is remembered; 0: a key is free as soon as its request is done.
    """

    def __init__(self, *, remember_s: float) -> None:
        self._remember_s = remember_s
        self._underway: dict[Name, _Underway[T]] = {}
        self._users: dict[int, _User] = {}

    @property
    def remembered_num(self) -> int:
        return sum(len(user.by_key) for user in self._users.values())

    def find(self, name: Name, asked: bytes, *, now: float) -> T | Outcome | None:
        """The request under way with this key, or the outcome of one; None: the key is free.

        asked: `fingerprint` of the request. Raises KeyTaken.
        """
        self._expire(now)
        underway = self._underway.get(name)
        if underway is not None:
            check_same(underway.asked, asked)
            return underway.run
        user = self._users.get(name.uid)
        remembered = None if user is None else user.by_key.get(name.key)
        if remembered is None:
            return None
        check_same(remembered.asked, asked)
        return remembered.outcome

    def begin(self, name: Name, asked: bytes, run: T) -> None:
        """A request with a free key is under way."""
        assert name not in self._underway, "two requests under way with one key"
        self._underway[name] = _Underway(asked, run)

    def settle(self, name: Name, outcome: Outcome, *, now: float) -> None:
        """It is done: remember what it came to, if that is worth it."""
        asked = self._underway.pop(name).asked
        self._expire(now)
        if not self._remember_s or not is_worth_remembering(outcome):
            return
        size = len(name.key) + size_of(outcome.result)
        if size <= RESULT_BYTES_MAX:
            user = self._users.setdefault(name.uid, _User())
            user.add(name.key, _Remembered(asked, outcome, now, size))

    def _expire(self, now: float) -> None:
        for uid, user in list(self._users.items()):
            user.expire(now - self._remember_s)
            if not user.by_key:
                del self._users[uid]


def fingerprint(method: str, profile: str, params: Params) -> bytes:
    """The same for the same request only. A MiB of params takes some 0.6 ms."""
    digests: list[bytes] = []

    def digest(blob: Any) -> str:
        digests.append(hashlib.sha256(blob).digest())
        return ""

    text = json.dumps([method, profile, params], sort_keys=True, default=digest)
    return hashlib.sha256(b"\0".join([text.encode(), *digests])).digest()


def is_worth_remembering(outcome: Outcome) -> bool:
    """Whether doing it again could do it twice: it was done, or may have been.

    After any other error the key is free, so that trying again is a new try.
    """
    error = outcome.error
    if error is None:
        return True
    if error.data.get("retryable"):
        return False
    if error.code == Code.SERVICE_ERROR:  # an earlier attempt may have done what this one met
        return bool(error.data.get("attempts", 0) > 1)
    return error.code in ACTED or bool(error.data.get("outcome_unknown"))


def joined_error(error: KeyTaken) -> RpcError:
    """The wire's error."""
    return RpcError(Code.INVALID_PARAMS, str(error))


def check_same(before: bytes, now: bytes) -> None:
    """Compare the fingerprints of two requests with one key. Raises KeyTaken."""
    if before != now:
        raise KeyTaken("this idempotency_key was used for another method, profile or other params")


def size_of(value: Any) -> int:
    """About how many bytes of memory a result takes."""
    if isinstance(value, (str, bytes)):
        return len(value)
    if isinstance(value, Mapping):
        return sum(len(key) + size_of(item) for key, item in value.items())
    if isinstance(value, list):
        return sum(map(size_of, value))
    return PLAIN_BYTES
