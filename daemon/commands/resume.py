"""`botod resume [PROFILE]`: take back a pause or a drain."""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from botod.daemon.gate_commands import gate_parser, turn


def main(argv: Sequence[str]) -> int:
    arguments = parser().parse_args(argv)
    complain = partial(_still_shut, arguments.profile)
    return turn(arguments, "botod.resume", "resumed", complain)


def parser() -> argparse.ArgumentParser:
    """What may be said."""
    return gate_parser(
        "resume",
        "Take back what botod pause or botod drain did to a profile, or all of it. Jobs that "
        "waited go in their turn.",
    )


def _still_shut(profile: str | None, told: Mapping[str, Any]) -> Iterator[str]:
    gate = "open" if profile is None else told["profiles"].get(profile, "open")
    if gate != "open":
        yield f"{profile} is still {gate}, as everything is: botod resume without a profile"
