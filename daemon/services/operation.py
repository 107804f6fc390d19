"""What an operation and a service are: rows of the tables in this package."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from botod.daemon.services.resources import Resources
from botod.daemon.services.shapes import Described
from botod.daemon.sites import Site, Wanted
from botod.pool import HeldKeys, Pool
from botod.pool.lane import COMMON_LANE, Lane
from botod.pool.origin import Origin, Proxy
from botod.pool.pieces import Piece

Params = dict[str, Any]
Result = dict[str, Any]

Fate = Result | Exception
"""What one of several things came to that were asked for in one request."""


class CannotBeCarried(Exception):
    """An operation of AWS's that the daemon cannot do; says why."""


class ParamsShape(Protocol):
    """What an operation takes: an object whose keys are its parameters."""

    def described(self) -> Iterable[Described]:
        """Each of them."""

    def read(self, value: Any, where: str) -> Params: ...

    def partial(self) -> "ParamsShape":
        """The same with none of them required."""


class Source(Protocol):
    """A body that is read while it is sent."""

    length_bytes: int

    @property
    def can_repeat(self) -> bool:
        """Whether it can be read for another try."""

    def blocks(self) -> Iterator[bytes]:
        """All of it, in blocks; called anew for another try. Taking one may park, and may raise."""

    def look_through(self, take: Callable[[bytes], object]) -> None:
        """Have `take` called with all of it, block by block, before it is sent; parks.

        Raises InvalidParam if it comes once.
        """


class PartedBody(Protocol):
    """A body of any length that is sent in parts.

    length_bytes: None: not known. at_once: parts that may be under way together.
    """

    length_bytes: int | None
    at_once: int

    def whole(self, most: int) -> "Source | bytes | None":
        """All of it, if that is at most so many bytes; else None. Called first, once. Parks."""

    def next_part(self, size: int, wait_for_room: Callable[[], bool]) -> "Source | None":
        """The next part, shorter than `size` at the end; None: there is no more. Parks.

        wait_for_room: called where there is no memory for it: waits until one of the parts under
        way has been sent; False: there is none.
        """

    def sent(self, part: "Source") -> None:
        """A part is no longer needed."""

    def check(self) -> None:
        """Raise BodyChanged if it is not what it was when it was opened. Parks."""


class Place(Protocol):
    """A file in which a body is written in pieces, in any order.

    block_bytes: how much to write at once.
    """

    block_bytes: int

    def fit(self, size: int) -> None:
        """Raise DoesNotFit if a body of `size` bytes is too long for it."""

    def write_at(self, at: int, pieces: Sequence[Piece]) -> None:
        """Write them from `at` bytes after the body's beginning on; parks.

        Raises DescriptorFailed.
        """


@dataclass(frozen=True)
class Gathering:
    """How several jobs of one operation travel as one request.

    place: the param that they must have in common. run: the request; it gets the jobs' params, and
    gives what became of each, in order. entries_max, bytes_max: how many it carries, and how much,
    where `size_of` tells what one's params count. keeps_order: whether those with these params are
    to be done in the order in which they came. with_headers: a job's params with what its own
    request would have had in its head.
    """

    place: str
    run: Callable[[Any, Sequence[Params]], list[Fate]]
    entries_max: int
    bytes_max: int
    size_of: Callable[[Params], int]
    keeps_order: Callable[[Params], bool] = lambda _params: False
    with_headers: Callable[[Params, Mapping[str, str]], Params] = lambda params, _headers: params


@dataclass(frozen=True)
class Operation:
    """One thing that a job can do.

    params: AWS's own names. run: the work, in boto's blocking style; it gets a connection of boto's
    and the params as read. idempotent: sending it twice leaves things as sending it once does.
    unless: a job with one of these params is not idempotent all the same: its condition holds only
    the first time. is_composite: it makes several requests, each tried again by itself (`attempt`).

    polls: whether a job with these params may wait at the service until there is something to tell;
    None: none does.

    gathering: how such jobs travel together; None: each goes alone.

    sends: the param whose value may be large: a peer may give a descriptor or a stream, and `run`
    gets a Source instead. receives: the result whose value may be large: `run` gives a Download,
    and a peer may give a descriptor for it in the param of the same name.

    tokens: params that mark a request as one and the same; those that a peer does not give are made
    up, once a job. home: whose connection it takes; None: that of its service's table.

    in_parts: such a body moves in parts, by several requests at once: `run` gets a PartedBody in
    the place of the Source, and a Place for a descriptor in which the answer goes.

    resources: what rules of policy are written about. is_explicit: a rule has to name it, a `*`
    does not allow it: it gives credentials away, or what works without them. acts_as: the operation
    that it is for rules, if it is another way to do that. stands_for: the param that names another
    operation, which the caller has to be allowed too.
    """

    params: ParamsShape
    run: Callable[[Any, Params], Result]
    idempotent: bool
    unless: tuple[str, ...] = ()
    is_composite: bool = field(default=False, kw_only=True)
    polls: Callable[[Params], bool] | None = field(default=None, kw_only=True)
    gathering: Gathering | None = field(default=None, kw_only=True)
    sends: str = ""
    receives: str = ""
    in_parts: bool = False
    resources: Resources = field(kw_only=True)
    is_explicit: bool = field(default=False, kw_only=True)
    tokens: tuple[str, ...] = field(default=(), kw_only=True)
    home: "Home | None" = field(default=None, kw_only=True)
    acts_as: str = field(default="", kw_only=True)
    stands_for: str = field(default="", kw_only=True)

    def is_idempotent(self, params: Params) -> bool:
        is_safe = self.idempotent or not params.keys().isdisjoint(self.tokens)
        return is_safe and params.keys().isdisjoint(self.unless)


@dataclass(frozen=True)
class Endpoint:
    """Where a service is, and how it is spoken to.

    region, signing_name: what signatures name; the latter is empty if the service's model tells it.
    own: it was configured, so it may not be AWS's. wanted: what was asked for of AWS; None: it is
    not AWS's. addressing: of buckets: auto, path or virtual. signature: v4, or v2 for old servers.
    lane: whose connections they are, in the pool. proxy: who takes requests there.
    """

    host: str
    port: int
    is_secure: bool
    region: str
    own: bool
    signing_name: str = ""
    wanted: Wanted | None = None
    addressing: str = "auto"
    signature: str = "v4"
    lane: Lane = COMMON_LANE
    proxy: Proxy | None = None

    @property
    def origin(self) -> Origin:
        """Its host pool, but for buckets with hosts of their own."""
        return Origin("https" if self.is_secure else "http", self.host, self.port, self.lane)

    def boto_arguments(self) -> dict[str, Any]:
        """What all of boto's connection classes take of it."""
        arguments: dict[str, Any] = {
            "port": self.port, "is_secure": self.is_secure, "lane": self.lane
        }  # fmt: skip
        if self.proxy is not None:
            arguments |= {
                "proxy": self.proxy.host,
                "proxy_port": self.proxy.port,
                "proxy_user": self.proxy.user,
                "proxy_pass": self.proxy.password,
            }
        return arguments


@dataclass(frozen=True)
class Service:
    """A service: how to get a connection of boto's to it, and its operations by name."""

    connect: Callable[[Pool, HeldKeys, Endpoint], Any]
    operations: Mapping[str, Operation]


class Home(Protocol):
    """What gives operations without rows their site and connection.

    kind: which of the service's homes it is, where some of its operations live elsewhere.
    """

    kind: tuple[tuple[str, Any], ...]

    def site(self, wanted: Wanted) -> Site:
        """Where AWS has it. Raises NoEndpoint."""

    def connect(self, pool: Pool, keys: HeldKeys, endpoint: Endpoint) -> Any:
        """A connection of boto's for them."""
