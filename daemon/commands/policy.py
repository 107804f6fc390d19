"""`botod policy check --user NAME s3.get_object Bucket=b Key=k`: which rule of policy decides."""

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from botod.daemon.callers import Caller
from botod.daemon.config import Config, ConfigError, load
from botod.daemon.policy import Policy
from botod.daemon.rules import OWN_METHODS
from botod.daemon.services import CATALOG
from botod.daemon.services.catalog import NoSuchOperation
from botod.daemon.services.operation import CannotBeCarried, Params
from botod.daemon.services.shapes import InvalidParam
from botod.daemon.users import NoSuchName, gid_of, groups_of, uid_of
from botod.daemon.verdicts import Decision

EXIT_REFUSED = 1
EXIT_USAGE = 2
EXIT_CONFIG = 78

EPILOG = """\
Parameters are AWS's, as for `botod call`: Name=text or Name:=json; only those that tell the
resource are needed. It reads the configuration as `botod run` does, and needs no daemon.

exit status: 0 allowed, 1 refused, 2 wrong usage, 78 a mistake in the configuration
"""


class Usage(Exception):
    """A question that cannot be understood."""


def main(argv: Sequence[str]) -> int:
    arguments = parser().parse_args(argv)
    try:
        config = load(arguments.config) if arguments.config else Config()
        decision = _decision(config, arguments)
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_CONFIG
    except (Usage, InvalidParam, NoSuchName) as error:
        sys.stderr.write(f"botod: {error}\n")
        return EXIT_USAGE
    if arguments.json:
        lines = [json.dumps(told(decision, arguments.operation), indent=2)]
    else:
        lines = list(report(decision, arguments.operation))
    sys.stdout.write("\n".join(lines) + "\n")
    return 0 if decision.is_allowed else EXIT_REFUSED


def report(decision: Decision, operation: str) -> Iterator[str]:
    """The lines a person reads."""
    on = "" if decision.resource is None else f" on {decision.resource}"
    yield f"{'allowed' if decision.is_allowed else 'refused'}: {operation}{on}"
    if decision.verdict is not None:
        yield f"by {decision.verdict}"
        role = decision.verdict.rule.role
        if decision.is_allowed and role is not None:
            yield f"under {role.arn}"
    elif decision.is_allowed:
        yield "by the default: whoever may have some job done"
    else:
        yield "by the default: no rule is about it"


def told(decision: Decision, operation: str) -> dict[str, Any]:
    """The same for a program. rule, line: what decided; None: no rule is about it."""
    verdict = decision.verdict
    role = None if verdict is None else verdict.rule.role
    return {
        "allowed": decision.is_allowed,
        "operation": operation,
        "resource": decision.resource,
        "rule": None if verdict is None else str(verdict.rule.place),
        "line": None if verdict is None else str(verdict.line),
        "role": role.arn if decision.is_allowed and role is not None else None,
    }


def parser() -> argparse.ArgumentParser:
    """What may be said."""
    said = argparse.ArgumentParser(prog="botod policy", description="Ask the rules of policy.")
    commands = said.add_subparsers(dest="command", required=True, metavar="COMMAND")
    check = commands.add_parser(
        "check",
        help="say which rule decides",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    check.add_argument("operation", help="service.operation, such as s3.get_object")
    check.add_argument("params", nargs="*", metavar="Name=value")
    check.add_argument("--user", required=True, metavar="NAME", help="who asks; or a number")
    check.add_argument(
        "--group", action="append", default=[], metavar="NAME", help="a group beside the user's own"
    )
    check.add_argument("--unit", metavar="NAME", help="the systemd unit; default: none")
    check.add_argument("--cgroup", metavar="PATH", help="the control group, in place of a unit")
    check.add_argument("--profile", default="default", metavar="NAME", help="the job's profile")
    check.add_argument(
        "--daemon-user", metavar="NAME", help="whom the daemon runs as; default: who asks this"
    )
    check.add_argument("--config", metavar="FILE", help="settings in TOML; default: all defaults")
    check.add_argument("--json", action="store_true", help="as JSON, for a program")
    return said


def _decision(config: Config, arguments: argparse.Namespace) -> Decision:
    own_uid = os.geteuid() if arguments.daemon_user is None else uid_of(arguments.daemon_user)
    policy = Policy(own_uid, rules=config.rules)
    params = dict(_parameter(word) for word in arguments.params)
    return policy.decide(
        _caller(arguments),
        arguments.operation,
        _touched(arguments.operation, params),
        arguments.profile,
    )


def _caller(arguments: argparse.Namespace) -> Caller:
    uid = uid_of(arguments.user)
    groups = frozenset(gid_of(name) for name in arguments.group)
    unit = f"/system.slice/{arguments.unit}" if arguments.unit else "/"
    return Caller(uid, groups_of(uid) | groups, cgroup=arguments.cgroup or unit)


def _parameter(word: str) -> tuple[str, Any]:
    name, equals, value = word.partition("=")
    if not equals or not name.rstrip(":"):
        raise Usage(f"{word!r} is not Name=text or Name:=json")
    if not name.endswith(":"):
        return name, value
    try:
        return name[:-1], json.loads(value)
    except (ValueError, RecursionError) as error:
        raise Usage(f"{name[:-1]}: not JSON: {error}") from None


def _touched(method: str, params: Params) -> tuple[str | None, ...]:
    """The resources that an operation would touch; none of its params has to be there.

    Raises Usage, InvalidParam.
    """
    if method in OWN_METHODS:
        return (None,)
    service, _dot, name = method.partition(".")
    try:
        operation = CATALOG.operation(service, name)
    except (NoSuchOperation, CannotBeCarried) as error:
        raise Usage(str(error)) from None
    return tuple(operation.resources.find(operation.params.partial().read(params, "")))
