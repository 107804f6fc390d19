"""What `botod pause`, `drain` and `resume` have in common: the gate before one profile or all."""

import argparse
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from botod.daemon.asking import add_options, have_done
from botod.daemon.holding import WAIT_MAX_S

WAIT_S = 60
"""A long poll takes 20, and hardly a request more than the rest."""

Told = Mapping[str, Any]


def gate_parser(name: str, description: str) -> argparse.ArgumentParser:
    """What may be said to `botod NAME`."""
    said = argparse.ArgumentParser(prog=f"botod {name}", description=description)
    said.add_argument("profile", nargs="?", metavar="PROFILE", help="default: all")
    add_options(said)
    return said


def add_timeout(said: argparse.ArgumentParser, words: str) -> None:
    """How long is waited."""
    said.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=_seconds,
        default=WAIT_S,
        help=f"how long to wait until {words}; default: {WAIT_S}",
    )


def turn(
    arguments: argparse.Namespace, method: str, done: str, complain: Callable[[Told], Iterator[str]]
) -> int:
    """Turn a gate at all workers; the exit status. complain: of one worker's answer."""
    params: dict[str, Any] = {}
    if arguments.profile is not None:
        params["profile"] = arguments.profile
    wait_s = getattr(arguments, "timeout", None)
    if wait_s is not None:
        params["wait_s"] = wait_s
    what = "everything" if arguments.profile is None else arguments.profile

    def wrong(answer: Told) -> Iterable[str]:
        for one in answer["workers"]:
            yield from (f"worker {one['worker']}: {words}" for words in complain(one))

    return have_done(
        arguments,
        method,
        params,
        lambda _answer: [f"{done}: {what}"],
        takes_s=float(wait_s or 0),
        complain=wrong,
    )


def _seconds(text: str) -> int:
    seconds = int(text)
    if not 0 <= seconds <= WAIT_MAX_S:
        raise ValueError(text)
    return seconds
