"""Which line of the rules decides: the first that is about a caller, an operation and a resource.

Rules are sorted by operation once, and for each caller on the first request: a decision then looks
at none that cannot be it. Within a rule what is denied goes before what is allowed.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from botod.daemon.callers import Caller
from botod.daemon.globs import Globs
from botod.daemon.rules import (
    ACTS_AS,
    EVERYTHING,
    METHODS,
    NAMED_ONLY,
    OWN_ALL,
    OWN_METHODS,
    Line,
    Rule,
)
from botod.daemon.services import CATALOG


@dataclass(frozen=True)
class Verdict:
    """One line of a rule, and whether it allows."""

    is_allow: bool
    line: Line
    rule: Rule

    def __str__(self) -> str:
        return f'{self.rule.place}: {"allow" if self.is_allow else "deny"} "{self.line}"'


@dataclass(slots=True)
class Decision:
    """What became of a question; nobody changes it.

    resource: the one that was refused, or the last that was allowed. verdict: None: no line is
    about it, so it is refused.
    """

    is_allowed: bool
    resource: str | None
    verdict: Verdict | None


class Table:
    """The verdicts of one operation, for one caller and profile, as they stand in the rules."""

    def __init__(self, verdicts: Sequence[Verdict]) -> None:
        self.may_allow = any(verdict.is_allow for verdict in verdicts)
        self._verdicts = verdicts
        self._globs = Globs([verdict.line.resource for verdict in verdicts])
        self._untold = next((verdict for verdict in verdicts if _is_for_any(verdict)), None)
        is_alike = bool(verdicts) and verdicts[0].line.resource == EVERYTHING
        self._of_all = verdicts[0] if is_alike else None  # it decides, whatever is asked about

    def decide(self, resources: Iterable[str | None]) -> Decision:
        """Any that is denied denies; all have to be allowed, and under one role.

        A job is signed once.
        """
        resource = verdict = before = None
        for resource in resources:
            before, verdict = verdict, self._of_all or self.verdict(resource)
            if verdict is None or not verdict.is_allow:
                return Decision(False, resource, verdict)
            if before is not None and before.rule.role != verdict.rule.role:
                return Decision(False, resource, verdict)
        return Decision(verdict is not None, resource, verdict)

    def verdict(self, resource: str | None) -> Verdict | None:
        """The line that decides; None: none is about it. A resource of None cannot be told."""
        if resource is None:
            return self._untold
        first = self._globs.first(resource)
        return None if first is None else self._verdicts[first]


class Book:
    """All rules, sorted by operation."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.rules = rules
        self.profiles = frozenset[str]().union(*(rule.profiles or () for rule in rules))
        self.needs_cgroup = any(
            rule.who.unit or rule.who.cgroup or (rule.role is not None and rule.role.needs_unit)
            for rule in rules
        )
        self.serving = tuple(rule for rule in rules if any(map(_is_of_service, rule.allow)))
        self._by_method: Mapping[str, Sequence[Verdict]] = {
            method: tuple(_about(method, rules)) for method in METHODS
        }

    def about(self, method: str) -> Iterable[Verdict]:
        """What the rules say of an operation, whoever asks."""
        known = self._by_method.get(method)
        return _about(method, self.rules) if known is None else known


class Tables:
    """What one caller may do; made as it asks. known: what `may_call` has told of operations."""

    def __init__(self, caller: Caller, book: Book) -> None:
        self.is_served = any(caller.surely_is(rule.who) for rule in book.serving)
        self.caller = caller
        self.known: dict[str, bool] = {}
        self._book = book
        self._tables: dict[tuple[str, str], Table] = {}

    def table(self, method: str, profile: str) -> Table:
        key = (method, profile if profile in self._book.profiles else "")
        table = self._tables.get(key)
        if table is None:
            own = self._own(ACTS_AS.get(method, method))
            table = Table([verdict for verdict in own if _is_in(verdict, profile)])
            if _is_known(method):  # a peer chooses the name
                self._tables[key] = table
        return table

    def may_call(self, method: str) -> bool:
        """Whether there is a resource and a profile for which it may.

        Of what nobody knows yet, whether it may do anything that the service has.
        """
        may = self.known.get(method)
        if may is None:
            if not _is_known(method):  # a peer chooses the name
                return self._may_use(method.partition(".")[0])
            own = self._own(ACTS_AS.get(method, method))
            may = self.known[method] = any(verdict.is_allow for verdict in own)
        return may

    def _may_use(self, service: str) -> bool:
        return any(
            line.may_be_about(service)
            for rule in self._book.serving
            if self.caller.surely_is(rule.who)
            for line in rule.allow
        )

    def _own(self, method: str) -> Iterator[Verdict]:
        """The verdicts that are about this caller."""
        for verdict in self._book.about(method):
            is_one = self.caller.surely_is if verdict.is_allow else self.caller.may_be
            if is_one(verdict.rule.who):
                yield verdict


def _about(method: str, rules: Sequence[Rule]) -> Iterator[Verdict]:
    for rule in rules:
        yield from (Verdict(False, line, rule) for line in rule.deny if line.covers(method))
        for line in rule.allow:
            if line.covers(method) and _may_allow(line, method):
                yield Verdict(True, line, rule)


def _may_allow(line: Line, method: str) -> bool:
    if line.operation == method or line.is_for_explicit:
        return True
    if method in NAMED_ONLY:
        return line.operation == OWN_ALL
    return not CATALOG.is_explicit(method)


def _is_known(method: str) -> bool:
    """Whether there is such an operation, and what it is is known: it was loaded, or has a row."""
    return method in METHODS or CATALOG.is_told(method)


def _is_for_any(verdict: Verdict) -> bool:
    """Whether it decides on a resource that cannot be told."""
    return not verdict.is_allow or verdict.line.resource == EVERYTHING


def _is_in(verdict: Verdict, profile: str) -> bool:
    return verdict.rule.profiles is None or profile in verdict.rule.profiles


def _is_of_service(line: Line) -> bool:
    has_row = any(line.covers(method) for method in METHODS if method not in OWN_METHODS)
    return has_row or not line.operation.startswith("botod")
