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
from botod.daemon.services import CATALOG, SERVICES
from botod.daemon.services.resources import UNTOLD, Resources

EVERYTHING = "*"

NAMED_ONLY = frozenset({
    "botod.drain",
    "botod.kill",
    "botod.log_level",
    "botod.pause",
    "botod.reload",
    "botod.restart",
    "botod.resume",
    "botod.show",
})  # fmt: skip
"""An administrator's methods: `*` in a rule does not allow them, as with operations that give out
keys; their name does, and OWN_ALL."""

OWN_METHODS = tuple(sorted({"botod.hello", "botod.ping", "botod.status"} | NAMED_ONLY))
"""Of the daemon itself; they touch no resource."""

OWN_ALL = "botod.*"
"""In a rule: it makes administrators."""

ACTS_AS = {
    f"{service}.{name}": f"{service}.{operation.acts_as}"
    for service, table in SERVICES.items()
    for name, operation in table.operations.items()
    if operation.acts_as
}
"""Operations that are another one for rules: who may do the one may do the other."""

METHODS: Mapping[str, Resources] = {
    f"{service}.{name}": operation.resources
    for service, table in SERVICES.items()
    for name, operation in table.operations.items()
    if not operation.acts_as
} | dict.fromkeys(OWN_METHODS, UNTOLD)
"""Those at hand; the others are in the catalog."""

NAMES_TOLD = 5
"""Of services that a line could be about, to who is asked which of them is meant."""


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
    """One line of a rule.

    operation, resource: patterns. is_for_explicit: it also allows what has to be named.
    """

    operation: str
    resource: str = EVERYTHING
    is_for_explicit: bool = False

    def __str__(self) -> str:
        if self.resource == EVERYTHING:
            return self.operation
        return f"{self.operation} on {self.resource}"

    def covers(self, method: str) -> bool:
        return matcher(self.operation).match(method) is not None

    def may_be_about(self, service: str) -> bool:
        """Whether it covers operations of a service, as far as its pattern tells."""
        return matcher(_service_pattern(self.operation)).match(service) is not None


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
    if line.operation in ACTS_AS:
        raise ValueError(f"{line.operation} is allowed as {ACTS_AS[line.operation]}: name that")
    for method, meant in ACTS_AS.items():
        if line.covers(method) and not line.covers(meant):
            raise ValueError(f"{line.operation} is also of {method}, allowed as {meant}: name that")
    rows = [method for method in METHODS if line.covers(method)]
    service = line.operation.partition(".")[0]
    kinds = [METHODS[method] for method in rows]
    if not rows:
        kinds = _kinds_by_model(line, service)
    elif not _fits(line, kinds) and "*" not in service and service in SERVICES:
        kinds += _kinds_by_model(line, service)
    if _fits(line, kinds):
        _require_one_service(line)
        return line
    words = " or ".join(sorted({kind.words for kind in kinds}))
    raise ValueError(f"{line.operation} is never on {line.resource!r}, but on {words}")


def _fits(line: Line, kinds: Iterable[Resources]) -> bool:
    return line.resource == EVERYTHING or any(kind.may_match(line.resource) for kind in kinds)


def _kinds_by_model(line: Line, service: str) -> list[Resources]:
    """What the operations that a line covers are on, of a service without rows for them.

    Reads the model of the one service that is named, and none if that is not needed. Raises
    ValueError if there is no such operation.
    """
    words = f"there is no operation {line.operation!r}"
    if "*" in service or "*" in line.operation.partition(".")[0]:
        if _is_of_any(line):
            return [UNTOLD]
        raise ValueError(f"{words} among the most used; name the service that has it")
    if service not in CATALOG.services:
        raise ValueError(f"{words}{CATALOG.near(service, CATALOG.services)}")
    if line == Line(f"{service}.*"):
        return [UNTOLD]
    names = CATALOG.names(service)
    covered = [f"{service}.{name}" for name in names if line.covers(f"{service}.{name}")]
    if not covered:
        near = CATALOG.near(line.operation.partition(".")[2], names)
        raise ValueError(f"{words}{near}")
    if line.resource == EVERYTHING:
        return [UNTOLD]
    return [kind for kind in map(CATALOG.resources, covered) if kind is not None] or [UNTOLD]


def _is_of_any(line: Line) -> bool:
    """Whether it is about everything that some services have."""
    _service, dot, name = line.operation.partition(".")
    is_all = name == "*" if dot else line.operation.endswith("*")
    return is_all and any(map(line.may_be_about, CATALOG.services))


def _require_one_service(line: Line) -> None:
    if line.resource == EVERYTHING or "*" not in _service_pattern(line.operation):
        return
    services = sorted(filter(line.may_be_about, CATALOG.services))
    if len(services) > 1:
        more = f", and {len(services) - NAMES_TOLD} more" if len(services) > NAMES_TOLD else ""
        names = ", ".join(services[:NAMES_TOLD]) + more
        raise ValueError(f"{line.operation!r} is of several services ({names}): on which of them?")


def _service_pattern(operation: str) -> str:
    """The pattern of the services; a `*` before the dot stands for dots, too."""
    service, star, _rest = operation.partition("*")
    return service.partition(".")[0] if "." in service else service + star


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
