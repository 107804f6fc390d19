"""`botod log-level LEVEL [MODULE]`: how much the log says, until the next reload."""

import argparse
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from botod.daemon.asking import add_options, alike, have_done
from botod.daemon.log_levels import LEVELS


def main(argv: Sequence[str]) -> int:
    arguments = parser().parse_args(argv)
    params = {"level": arguments.level}
    if arguments.module is not None:
        params["module"] = arguments.module
    return have_done(arguments, "botod.log_level", params, report)


def report(answer: Mapping[str, Any]) -> Iterable[str]:
    """The lines a person reads."""
    return alike(answer, _of_one)


def _of_one(told: Mapping[str, Any]) -> Iterator[str]:
    yield f"until the next reload: {told['level']}"
    for module, level in sorted(told["modules"].items()):
        yield f"until the next reload: {level} for {module}"


def parser() -> argparse.ArgumentParser:
    """What may be said."""
    said = argparse.ArgumentParser(
        prog="botod log-level",
        description=(
            "Say how much the log tells, of all or of one module. The next reload brings back "
            "what the configuration says."
        ),
    )
    said.add_argument("level", choices=LEVELS, metavar="LEVEL", help=", ".join(LEVELS))
    said.add_argument(
        "module", nargs="?", metavar="MODULE", help="such as pool or daemon.worker; default: all"
    )
    add_options(said)
    return said
