"""Who may have what done: the rules of the configuration, then the daemon's own user, nobody else.

Root is like any other. Whoever may have some job done may say hello and ping, too.
"""

import logging
import os
import re
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from botod.daemon.callers import OVERFLOW_ID, Caller, caller_of, unit_of
from botod.daemon.job import Job
from botod.daemon.roles import Actor, Role
from botod.daemon.rules import ACTS_AS, EVERYTHING, NAMED_ONLY, Line, Place, Rule, Who
from botod.daemon.verdicts import Book, Decision, Tables
from botod.ipc.errors import Code, RpcError
from botod.ipc.exchange import Sender

logger = logging.getLogger(__name__)

OVERFLOW_UID = OVERFLOW_ID
"""Refused whatever the rules say: it is nobody in particular."""

UNMAPPED = (
    ": that is what every user looks like whom the daemon's user namespace does not know; run the "
    "daemon in the host's, or map the user into it"
)
"""What such a one is told: without it the administrator looks for a rule."""

GREETINGS = ("botod.hello", "botod.ping")
"""For everybody who is served: a client asks them before its first job."""

MAX_METHOD = 100
"""Of a method that is quoted; the longest of AWS's has some 80 characters."""

METHOD = re.compile(rf"[a-z0-9._-]{{0,{MAX_METHOD}}}")

NOTHING_DECIDED = Decision(False, None, None)
"""No rule is about it."""

REMEMBERED = 4096
"""Senders, and kinds of callers, whose rules stay sorted; the oldest are sorted out again."""

_Key = tuple[int, int, int, int]


@dataclass(slots=True)
class Permit:
    """What a job is done on; nobody changes it.

    actor: the role that it is done under; None: as its profile. resources: what it touches.
    decision: of the rules, of the last that was asked; only an audit lets it be a refusal.
    """

    actor: Actor | None
    resources: tuple[str | None, ...]
    decision: Decision


class Denied(RpcError):
    """What a peer is told that may not, with what was decided: that is not for the peer."""

    decision: Decision


class Policy:
    """Decides by sender, operation, resources and profile.

    own_uid: the user the daemon runs as. audit: only log what would be refused.
    """

    def __init__(
        self, own_uid: int | None = None, *, rules: Sequence[Rule] = (), audit: bool = False
    ) -> None:
        self._book = Book((*rules, own_rule(os.geteuid() if own_uid is None else own_uid)))
        self._audit = audit
        self._by_sender: dict[_Key, Tables] = {}
        self._by_caller: dict[Caller, Tables] = {}

    def admit(self, sender: Sender, method: str) -> None:
        """Raise ACCESS_DENIED if `sender` may not call `method`, whatever its params."""
        if sender.uid == OVERFLOW_UID:
            raise _denied(sender.uid, method, NOTHING_DECIDED, UNMAPPED)
        tables = self._tables(sender)
        if tables.known.get(method):
            return
        if method.startswith("botod."):
            decision = _greeting(tables, method)
            if not decision.is_allowed:
                self._refuse(sender, method, decision)
        elif not (self._audit or tables.may_call(method)):
            self._refuse(sender, method, NOTHING_DECIDED)

    def check(self, sender: Sender, job: Job) -> Permit:
        """Raise ACCESS_DENIED unless `sender` may have this job done."""
        tables, profile = self._tables(sender), job.options.profile
        resources = tuple(job.operation.resources.find(job.params))
        methods = [job.method]
        if job.operation.stands_for:
            methods.append(f"{job.service}.{job.params[job.operation.stands_for]}")
        first: Rule | None = None
        for method in methods:
            decision = tables.table(method, profile).decide(resources)
            rule = None if decision.verdict is None else decision.verdict.rule
            is_mixed = first is not None and (rule is None or rule.role != first.role)
            if not decision.is_allowed or is_mixed:  # a job is signed once, under one role
                decision = replace(decision, is_allowed=False)
                self._refuse(sender, ACTS_AS.get(method, method), decision)
                return Permit(None, resources, decision)
            first = rule
        actor = None
        if first is not None and first.role is not None:
            actor = _actor(tables, sender, first, first.role, profile)
        return Permit(actor, resources, decision)

    def decide(
        self, caller: Caller, method: str, resources: Sequence[str | None], profile: str
    ) -> Decision:
        """What a caller would be told, without the log."""
        if caller.uid == OVERFLOW_UID:
            return NOTHING_DECIDED
        tables = Tables(caller, self._book)
        if method.startswith("botod."):
            return _greeting(tables, method)
        return tables.table(method, profile).decide(resources)

    def _tables(self, sender: Sender) -> Tables:
        key = (sender.connection_id, sender.pid, sender.uid, sender.gid)
        tables = self._by_sender.get(key)
        if tables is None:
            caller = caller_of(sender, needs_cgroup=self._book.needs_cgroup)
            tables = self._by_caller.get(caller) or Tables(caller, self._book)
            _remember(self._by_caller, caller, tables)
            _remember(self._by_sender, key, tables)
        return tables

    def _refuse(self, sender: Sender, method: str, decision: Decision) -> None:
        """To the peer only what was refused; the log has the rule.

        An audit looks at jobs: what is an administrator's stays so.
        """
        error = _denied(sender.uid, method, decision)
        why = f"{decision.verdict or 'no rule is about it'}{self._doubt(sender)}"
        if self._audit and method not in NAMED_ONLY:
            logger.warning("audit: pid %d: %s; %s", sender.pid, error.message, why)
            return
        logger.info("pid %d: %s; %s", sender.pid, error.message, why)
        raise error

    def _doubt(self, sender: Sender) -> str:
        """Why no rule by unit or control group allows this sender anything; empty: one may."""
        if not self._book.needs_cgroup or self._tables(sender).caller.cgroup is not None:
            return ""
        if sender.pid <= 0:
            return (
                "; its unit cannot be told: it is in a pid namespace that the daemon does not see"
            )
        return "; its unit cannot be told: it has ended, or is outside the daemon's control groups"


def own_rule(uid: int) -> Rule:
    """What holds where no rule says otherwise: the daemon's own user may everything."""
    line = Line(EVERYTHING, is_for_explicit=True)
    return Rule(Who(uid=uid), allow=(line,), place=Place("the default", 0, 0))


def _greeting(tables: Tables, method: str) -> Decision:
    """For one of the daemon's own methods."""
    decision = tables.table(method, "").decide((None,))
    if decision.verdict is None and method in GREETINGS and tables.is_served:
        return Decision(True, None, None)
    return decision


def _actor(tables: Tables, sender: Sender, rule: Rule, role: Role, profile: str) -> Actor:
    """Who a job is done as that a rule with a role allows."""
    cgroup = tables.caller.cgroup if role.needs_unit else None
    unit = "" if cgroup is None else unit_of(cgroup)
    return Actor(role, sender.uid, unit, rule.place.name, profile)


def _denied(uid: int, method: str, decision: Decision, why: str = "") -> Denied:
    on = "" if decision.resource is None else f" on {decision.resource!r}"
    # A peer chooses it: as it is it could end a line of the log, and begin another.
    name = method if METHOD.fullmatch(method) else repr(method[:MAX_METHOD])
    error = Denied(Code.ACCESS_DENIED, f"user {uid} may not call {name}{on}{why}")
    error.decision = decision
    return error


def _remember(known: dict[Any, Tables], key: Hashable, tables: Tables) -> None:
    if len(known) >= REMEMBERED:
        del known[next(iter(known))]
    known[key] = tables
