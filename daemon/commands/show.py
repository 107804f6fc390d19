"""`botod show pools|peers|jobs|profiles|config|limits`: tables of what is inside a daemon."""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from botod.daemon.asking import add_options, have_done
from botod.daemon.columns import aligned
from botod.daemon.show_tables import COLUMNS, OF_STATUS, columns_of, rows_of


def main(argv: Sequence[str]) -> int:
    what = (arguments := parser().parse_args(argv)).what

    def report(answer: Mapping[str, Any]) -> Iterator[str]:
        yield from aligned(columns_of(what, answer), rows_of(what, answer))
        left_out = sum(one.get("left_out_num", 0) for one in answer.get("workers", ()))
        if left_out:
            yield f"and {left_out} more, younger ones"

    if what in OF_STATUS:
        return have_done(arguments, "botod.status", {}, report)
    return have_done(arguments, "botod.show", {"what": what}, report, complain=_bad_file)


def _bad_file(answer: Mapping[str, Any]) -> Iterator[str]:
    """Of `config`: why the file as it is now could not be had."""
    yield from {one["file_error"]: None for one in answer["workers"] if one.get("file_error")}


def parser() -> argparse.ArgumentParser:
    """What may be said."""
    said = argparse.ArgumentParser(
        prog="botod show",
        description=(
            "Show a table: pools, a host each; peers, who is connected; jobs, what each is at; "
            "profiles, whether they are paused, and whose keys they have; config, what holds, and "
            "what waits for a reload or a restart; limits, what of each is in use, and how often "
            "it refused something."
        ),
    )
    said.add_argument("what", choices=tuple(COLUMNS), metavar="WHAT", help=", ".join(COLUMNS))
    add_options(said)
    return said
