"""How much one peer, one user and all together may have of us. No I/O; the time is an argument.

Each limit refuses with its own name in the error's `data.limit`, and counts how often it did.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from botod.ipc.errors import Code, RpcError
from botod.ipc.framing import MessageLimits

RETRY_AFTER_MS = 100
"""When to come back after a limit that one's own requests reached: some answers later."""


@dataclass(frozen=True)
class ServerLimits:
    """Each limit of the wire. `_per_uid` is over all connections of a user.

    message: of one message. peers: connections at once. in_flight: requests that are not answered
    and streams that are not ended. requests_per_s_per_uid: 0: as many as come; as many may come at
    once. unread_bytes: answers that wait because the peer does not read; it is refused new
    requests. unread_timeout_s: it is hung up on when it takes nothing for so long.
    half_sent_timeout_s: for a message from its first byte to its last; a second more for each MiB.
    idle_timeout_s: a connection without requests. streams_per_peer: at once, both ways.
    descriptors_per_uid: passed, and not closed yet. buffered_bytes: of all peers, both ways;
    buffered_bytes_per_uid: of one user's.
    """

    message: MessageLimits = MessageLimits()  # noqa: RUF009 - a frozen value
    peers: int = 4096
    peers_per_uid: int = 2048
    in_flight_per_peer: int = 256
    in_flight_per_uid: int = 2048
    requests_per_s_per_uid: int = 0
    unread_bytes: int = 64 * 1024 * 1024
    unread_timeout_s: float = 60.0
    half_sent_timeout_s: float = 30.0
    idle_timeout_s: float = 3600.0
    streams_per_peer: int = 64
    descriptors_per_uid: int = 64
    buffered_bytes: int = 256 * 1024 * 1024
    buffered_bytes_per_uid: int = 192 * 1024 * 1024


class Refusals:
    """How often each limit refused something."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def error(self, limit: str, message: str, *, retry_after_ms: int = RETRY_AFTER_MS) -> RpcError:
        """The error for a request that meets `limit`; it is counted."""
        self._counts[limit] += 1
        data = {"limit": limit, "retryable": True, "retry_after_ms": retry_after_ms}
        return RpcError(Code.OVERLOADED, message, data)

    def count(self, limit: str) -> None:
        """Count what is not answered, such as a connection that is closed."""
        self._counts[limit] += 1

    def by_limit(self) -> Mapping[str, int]:
        return dict(self._counts)


class Budget:
    """The bytes that messages may take together.

    limit: the name of the setting. whole: the budget that this one is a part of.
    """

    def __init__(
        self, total_bytes: int, *, limit: str = "buffered_bytes", whole: "Budget | None" = None
    ) -> None:
        self.total_bytes = total_bytes
        self.used_bytes = 0
        self._limit = limit
        self._whole = whole

    def reserve(self, size: int) -> bool:
        """Take so many bytes, if they are there."""
        if self.used_bytes + size > self.total_bytes:
            return False
        if self._whole is not None and not self._whole.reserve(size):
            return False
        self.used_bytes += size
        return True

    def limit_of(self, size: int) -> str:
        """Which limit does not allow so many bytes more."""
        if self._whole is None or self.used_bytes + size > self.total_bytes:
            return self._limit
        return self._whole.limit_of(size)

    def force(self, size: int) -> None:
        """Take so many, there or not: what has come already has to be held."""
        self.used_bytes += size
        if self._whole is not None:
            self._whole.force(size)

    def release(self, size: int) -> None:
        self.used_bytes -= size
        assert self.used_bytes >= 0, "more bytes were released than taken"
        if self._whole is not None:
            self._whole.release(size)


class Account:
    """What one user has now. budget: the bytes of its peers' messages."""

    __slots__ = (
        "_tokens", "_tokens_at", "budget", "descriptors_num", "in_flight_num", "peers_num", "uid",
    )  # fmt: skip

    def __init__(self, uid: int, budget: Budget, *, now: float, rate: int) -> None:
        self.uid = uid
        self.budget = budget
        self.peers_num = 0
        self.in_flight_num = 0
        self.descriptors_num = 0
        self._tokens = float(rate)
        self._tokens_at = now

    def take_turn(self, rate: int, *, now: float) -> bool:
        """Whether one more request fits into `rate` a second; a burst of as many may come."""
        self._tokens = min(float(rate), self._tokens + (now - self._tokens_at) * rate)
        self._tokens_at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def is_idle(self, rate: int, *, now: float) -> bool:
        """Whether nothing would be lost by forgetting it."""
        tokens = self._tokens + (now - self._tokens_at) * rate
        has_none = not (self.peers_num or self.in_flight_num or self.descriptors_num)
        return has_none and not self.budget.used_bytes and tokens >= rate


class Accounts:
    """The users that have something of us, or had a moment ago."""

    KEPT_MAX: ClassVar[int] = 1024
    """Accounts looked through for idle ones when there are more: a user's costs some 200 bytes."""

    def __init__(self, limits: ServerLimits, budget: Budget) -> None:
        self._rate = limits.requests_per_s_per_uid
        self._bytes = limits.buffered_bytes_per_uid
        self._budget = budget
        self._accounts: dict[int, Account] = {}

    def reload(self, limits: ServerLimits) -> None:
        """Have other bounds, for those who are known, too."""
        self._rate = limits.requests_per_s_per_uid
        self._bytes = limits.buffered_bytes_per_uid
        for account in self._accounts.values():
            account.budget.total_bytes = self._bytes

    def of(self, uid: int, *, now: float) -> Account:
        account = self._accounts.get(uid)
        if account is None:
            if len(self._accounts) >= self.KEPT_MAX:
                self._forget_idle(now)
            budget = Budget(self._bytes, limit="buffered_bytes_per_uid", whole=self._budget)
            account = self._accounts[uid] = Account(uid, budget, now=now, rate=self._rate)
        return account

    def most(self) -> Mapping[str, int]:
        """What the one user has who has most of a thing, by the names of the limits."""
        accounts = self._accounts.values()
        return {
            "peers_per_uid": max((one.peers_num for one in accounts), default=0),
            "in_flight_per_uid": max((one.in_flight_num for one in accounts), default=0),
            "descriptors_per_uid": max((one.descriptors_num for one in accounts), default=0),
            "buffered_bytes_per_uid": max((one.budget.used_bytes for one in accounts), default=0),
        }

    def _forget_idle(self, now: float) -> None:
        idle = [uid for uid, one in self._accounts.items() if one.is_idle(self._rate, now=now)]
        for uid in idle:
            del self._accounts[uid]
