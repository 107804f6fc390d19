"""`botod reload`: have the configuration of the file, and say what of it holds now."""

import argparse
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from botod.daemon.asking import add_options, alike, have_done


def main(argv: Sequence[str]) -> int:
    return have_done(parser().parse_args(argv), "botod.reload", {}, report)


def report(answer: Mapping[str, Any]) -> Iterable[str]:
    """The lines a person reads."""
    return alike(answer, _of_one)


def _of_one(told: Mapping[str, Any]) -> Iterator[str]:
    yield f"reloaded; changed: {', '.join(told['changed']) or 'no setting'}"
    if told["needs_restart"]:
        yield f"these settings need a restart: {', '.join(told['needs_restart'])}"


def parser() -> argparse.ArgumentParser:
    """What may be said."""
    said = argparse.ArgumentParser(
        prog="botod reload",
        description=(
            "Have the daemon read its configuration again, as SIGHUP does, and say what changed, "
            "or what is wrong in it; then all stays as it was."
        ),
    )
    add_options(said)
    return said
