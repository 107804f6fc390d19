"""Rules of policy: who they are for, and what they allow and deny.

One line of a rule is `operation on resource`; a `*` in either stands for any text, a `/` too.
Without `on` it is about everything.
"""

import functools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from botod.daemon.roles import Role
from botod.daemon.services import SERVICES
from botod.daemon.services.resources import UNTOLD, Resources

EVERYTHING = "*"

OWN_METHODS = ("botod.hello", "botod.ping", "botod.status")
"""Of the daemon itself; they touch no resource."""

METHODS: Mapping[str, Resources] = {
    f"{service}.{name}": operation.resources
    for service, table in SERVICES.items()
    for name, operation in table.operations.items()
} | dict.fromkeys(OWN_METHODS, UNTOLD)

EXPLICIT = frozenset(
    f"{service}.{name}"
    for service, table in SERVICES.items()
    for name, operation in table.operations.items()
    if operation.is_explicit
)
"""What a rule has to name to allow it."""


@dataclass(frozen=True)
class Place:
    """Where a rule stands.

    number: among those of its file, from 1; 0: it is in no file. line: 0: it is not known.
    """

    file: str
    number: int
    line: int

    @property
    def name(self) -> str:
        """In a few letters, such as shop.2 for the second rule of shop.toml."""
        return f"{Path(self.file).stem}.{self.number}"

    def __str__(self) -> str:
        if not self.number:
            return self.file
        line = f"line {self.line}: " if self.line else ""
        return f"{self.file}: {line}[[policy]] {self.number}"


@dataclass(frozen=True)
class Who:
    """Whom a rule is for: those who are all of it. unit, cgroup: patterns; empty: any."""

    uid: int | None = None
    gid: int | None = None
    unit: str = ""
    cgroup: str = ""


@dataclass(frozen=True)
class Line:
    """One line of a rule. operation, resource: patterns."""

    operation: str
    resource: str = EVERYTHING

    def __str__(self) -> str:
        if self.resource == EVERYTHING:
            return self.operation
        return f"{self.operation} on {self.resource}"

    def covers(self, method: str) -> bool:
        return matcher(self.operation).match(method) is not None


@dataclass(frozen=True)
class Rule:
    """What some may do, and what not.

    profiles: the jobs it is about; None: all. role: whom what it allows is signed as; None: the
    profile.
    """

    who: Who
    allow: tuple[Line, ...] = ()
    deny: tuple[Line, ...] = ()
    profiles: frozenset[str] | None = None
    role: Role | None = None
    place: Place = field(default=Place("a rule", 0, 0), compare=False)


def read_line(text: str) -> Line:
    """A line as it is written. Raises ValueError, which says what is wrong."""
    operation, on, resource = text.partition(" on ")
    if not on:
        resource = EVERYTHING
    line = Line(operation.strip(), resource.strip())
    covered = [method for method in METHODS if line.covers(method)]
    if not covered:
        raise ValueError(f"there is no operation {line.operation!r}")
    kinds = [METHODS[method] for method in covered]
    if line.resource == EVERYTHING or any(kind.may_match(line.resource) for kind in kinds):
        _require_one_service(line, covered)
        return line
    words = " or ".join(sorted({kind.words for kind in kinds}))
    raise ValueError(f"{line.operation} is never on {line.resource!r}, but on {words}")


def _require_one_service(line: Line, covered: Iterable[str]) -> None:
    services = {method.partition(".")[0] for method in covered}
    if line.resource != EVERYTHING and len(services) > 1:
        names = ", ".join(sorted(services))
        raise ValueError(f"{line.operation!r} is of several services ({names}): on which of them?")


def pattern_of(glob: str) -> str:
    """A regular expression for a pattern, without its end; its time is linear in the text.

    Atomic groups keep what one `*` took from being tried anew: a peer chooses the text.
    """
    first, *rest = glob.split("*")
    if not rest:
        return re.escape(first) + r"\Z"
    *middle, last = rest
    between = "".join(f"(?>.*?{re.escape(part)})" for part in middle if part)
    return re.escape(first) + between + (f".*{re.escape(last)}" + r"\Z" if last else "")


@functools.cache  # a decision builds on those of all rules
def matcher(glob: str) -> "re.Pattern[str]":
    """What matches the texts that a pattern stands for, from their beginning."""
    return re.compile(pattern_of(glob), re.DOTALL)
