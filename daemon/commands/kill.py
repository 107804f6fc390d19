"""`botod kill JOB|PEER`: end a job, or close a connection."""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from botod.daemon.asking import add_options, have_done


def main(argv: Sequence[str]) -> int:
    arguments = parser().parse_args(argv)

    def complain(answer: Mapping[str, Any]) -> Iterator[str]:
        if not any(one["killed"] for one in answer["workers"]):
            yield f"there is no {arguments.id}: botod show jobs, botod show peers"

    def report(answer: Mapping[str, Any]) -> Iterator[str]:
        if any(one["killed"] for one in answer["workers"]):
            yield f"killed: {arguments.id}"

    params = {"id": arguments.id}
    return have_done(arguments, "botod.kill", params, report, complain=complain)


def parser() -> argparse.ArgumentParser:
    """What may be said."""
    said = argparse.ArgumentParser(
        prog="botod kill",
        description=(
            "End a job as its peer's hang-up would: who waits for it gets CANCELLED, which says "
            "that an administrator did it. Or close a peer's connection, which ends its jobs."
        ),
    )
    said.add_argument("id", metavar="ID", help="as botod show jobs and botod show peers have it")
    add_options(said)
    return said
