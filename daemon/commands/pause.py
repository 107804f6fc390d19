"""`botod pause [PROFILE]`: let no request go out; jobs that come wait."""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from botod.daemon.gate_commands import add_timeout, gate_parser, turn


def main(argv: Sequence[str]) -> int:
    return turn(parser().parse_args(argv), "botod.pause", "paused", _still_running)


def parser() -> argparse.ArgumentParser:
    """What may be said."""
    said = gate_parser(
        "pause",
        "Let no request of a profile, or of any, go out. Jobs are taken and wait, each until its "
        "deadline. Requests on the wire go on; the command ends when there are none.",
    )
    add_timeout(said, "nothing is on the wire")
    return said


def _still_running(told: Mapping[str, Any]) -> Iterator[str]:
    if told["on_the_wire_num"]:
        yield f"paused, but {told['on_the_wire_num']} requests are still on the wire"
