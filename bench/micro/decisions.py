"""Policy: a decision with 200 rules.

Each piece is a way in which 200 rules can be hard: one a user, all for one user and operation on
resources of their own, all on prefixes of one bucket, of lengths of their own, all with a `*` in
the middle, and all that differ between two `*` only: these can only be tried one by one, and have
no budget.
"""

from collections.abc import Callable, Iterator, Mapping

from botod.daemon.job import Job
from botod.daemon.options import DEFAULTS
from botod.daemon.policy import Policy
from botod.daemon.rules import Rule, Who, read_line
from botod.daemon.services import SERVICES
from botod.ipc.exchange import Sender
from botod.pool import Terms
from micro.piece import Piece

RULES = 200
BUDGET_US = 5.0
UID = 100_000 + RULES - 1


def rules_of(uid: Callable[[int], int], line: str) -> list[Rule]:
    """200 rules, from a line with `{}` for their number."""
    return [
        Rule(Who(uid=uid(number)), (read_line(line.format(number)),)) for number in range(RULES)
    ]


KINDS: Mapping[str, tuple[list[Rule], str]] = {
    "a rule a user": (rules_of(lambda number: 100_000 + number, "s3.* on logs/*"), "logs/2026/x"),
    "a bucket a rule": (rules_of(lambda _number: UID, "s3.* on logs-{}/*"), "logs-199/2026/x"),
    "a prefix a rule": (rules_of(lambda _number: UID, "s3.* on logs/{}/*"), "logs/199/2026/x"),
    "an object a rule": (rules_of(lambda _number: UID, "s3.* on logs/{}"), "logs/199"),
    "a length a prefix": (
        [
            Rule(Who(uid=UID), (read_line(f"s3.* on logs/{'x' * number}-/*"),))
            for number in range(RULES)
        ],
        f"logs/{'x' * 150}-/x",
    ),
    "a * in the middle": (rules_of(lambda _number: UID, "s3.* on logs/{}/*/x"), "logs/199/2026/x"),
    "an end a rule": (rules_of(lambda _number: UID, "s3.* on logs/*/x{}"), "logs/2026/x199"),
    "between two *": (rules_of(lambda _number: UID, "s3.* on logs/*/{}/*"), "logs/2026/199/x"),
}
UNBOUNDED = ("between two *",)


def job_on(name: str) -> Job:
    """A job on one object."""
    bucket, _slash, key = name.partition("/")
    return Job(
        service="s3",
        name="get_object",
        operation=SERVICES["s3"].operations["get_object"],
        params={"Bucket": bucket, "Key": key},
        options=DEFAULTS,
        deadline=0.0,
        terms=Terms(),
    )


def pieces() -> Iterator[Piece]:
    """A decision of each kind, as the worker asks for it."""
    for kind, (rules, name) in KINDS.items():
        budget_us = float("inf") if kind in UNBOUNDED else BUDGET_US
        yield Piece(f"policy, {kind}", budget_us, _decision(rules, name))


def _decision(rules: list[Rule], name: str) -> Callable[[], None]:
    policy, job, sender = Policy(1000, rules=rules), job_on(name), Sender(1, UID, UID, 1)

    def ask() -> None:
        policy.admit(sender, "s3.get_object")
        policy.check(sender, job)

    return ask
