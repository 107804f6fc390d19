"""What the commands that ask a daemon have in common: how they ask, and how they end."""

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from botod.ipc.client import connect
from botod.ipc.errors import DaemonUnavailable, RpcError

EXIT_FAILED = 1
EXIT_NO_DAEMON = 3

TIMEOUT_S = 10.0
"""For an answer that takes no job."""


def asked(ask: Callable[[], int]) -> int:
    """The status of `ask()`; its errors stand on standard error, a line each."""
    try:
        return ask()
    except DaemonUnavailable as error:
        sys.stderr.write(f"botod: {error}\n")
        return EXIT_NO_DAEMON
    except RpcError as error:
        sys.stderr.write(f"botod: {error}\n")
        return EXIT_FAILED


def add_options(said: argparse.ArgumentParser) -> None:
    """Those of every command that asks a daemon."""
    said.add_argument("--json", action="store_true", help="the answer, as JSON")
    said.add_argument("--socket", metavar="PATH", help="default: $BOTOD_SOCKET or the usual place")


def alike(
    answer: Mapping[str, Any], of_one: Callable[[Mapping[str, Any]], Iterable[str]]
) -> Iterable[str]:
    """What a person reads of each worker's answer; workers that are alike are told once."""
    return dict.fromkeys(line for one in answer["workers"] for line in of_one(one))


def have_done(
    arguments: argparse.Namespace,
    method: str,
    params: Mapping[str, Any],
    report: Callable[[Mapping[str, Any]], Iterable[str]],
    *,
    takes_s: float = 0.0,
    complain: Callable[[Mapping[str, Any]], Iterable[str]] = lambda _answer: (),
) -> int:
    """Have an administrator's method done, and tell; the exit status.

    arguments: of `add_options`. report: the lines a person reads. takes_s: how long it may take by
    itself. complain: what is not as it was asked for; then it has failed, as it has if a worker
    does not answer.
    """

    def ask() -> int:
        with connect(arguments.socket, timeout_s=TIMEOUT_S + takes_s) as connection:
            answer = connection.call(method, params)
        lines = [json.dumps(answer, indent=2)] if arguments.json else report(answer)
        sys.stdout.writelines(f"{line}\n" for line in lines)
        wrong = [*complain(answer), *silent(answer)]
        sys.stderr.writelines(f"botod: {line}\n" for line in wrong)
        return EXIT_FAILED if wrong else 0

    return asked(ask)


def silent(answer: Mapping[str, Any]) -> Iterable[str]:
    """A line for each worker that did not answer."""
    for one in answer.get("silent", ()):
        yield f"worker {one['worker']} does not answer: {one['why']}"
