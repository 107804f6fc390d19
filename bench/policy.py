"""A decision of policy with 200 rules takes at most 5 µs.

    python bench/policy.py            # three rounds of 100,000 decisions of each kind
    python bench/policy.py --quick    # one of 20,000

Each kind is a way in which 200 rules can be hard: one a user, all for one user and operation on
resources of their own, all on prefixes of one bucket, of lengths of their own, all with a `*` in
the middle, and all that differ between two `*` only, which can only be tried one by one; that row
has no bound. `first` is the first question of a kind of caller,
which sorts the rules out. Times are CPU's. Exit status 1 if a decision takes longer.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Mapping

from botod.daemon.job import Job
from botod.daemon.options import DEFAULTS
from botod.daemon.policy import Policy
from botod.daemon.rules import Rule, Who, read_line
from botod.daemon.services import SERVICES
from botod.ipc.exchange import Sender
from botod.pool import Terms

RULES = 200
BOUND_US = 5.0
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


def took_us(ask: Callable[[], None], number: int) -> float:
    """Microseconds for one."""
    began = time.process_time()
    for _ in range(number):
        ask()
    return (time.process_time() - began) / number * 1e6


def measure(rules: list[Rule], name: str, rounds: int, number: int) -> tuple[float, float]:
    """A decision, as the worker asks for it, and the first of a connection."""
    policy, job = Policy(1000, rules=rules), job_on(name)
    sender = Sender(1, UID, UID, 1)

    def ask(sender: Sender = sender) -> None:
        policy.admit(sender, "s3.get_object")
        policy.check(sender, job)

    began = time.process_time()
    ask()
    first_us = (time.process_time() - began) * 1e6
    return statistics.median(took_us(ask, number) for _ in range(rounds)), first_us


def main() -> int:
    """Print a row a kind."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    rounds, number = (1, 20_000) if quick else (3, 100_000)
    slow = False
    print(f"{RULES} rules, µs           decision   first")
    for kind, (rules, name) in KINDS.items():
        decision_us, first_us = measure(rules, name, rounds, number)
        print(f"{kind:<24} {decision_us:>8.2f} {first_us:>7.0f}")
        slow = slow or (kind not in UNBOUNDED and decision_us > BOUND_US)
    return int(slow)


if __name__ == "__main__":
    sys.exit(main())
