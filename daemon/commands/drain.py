"""`botod drain [PROFILE]`: take no jobs; let those that run finish."""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from botod.daemon.gate_commands import add_timeout, gate_parser, turn


def main(argv: Sequence[str]) -> int:
    return turn(parser().parse_args(argv), "botod.drain", "drained", _still_running)


def parser() -> argparse.ArgumentParser:
    """What may be said."""
    said = gate_parser(
        "drain",
        "Refuse new jobs of a profile, or all, with DRAINED; they may be tried again later or "
        "elsewhere. Those that run finish; the command ends when there are none. The process "
        "lives on, with its connections, until botod resume.",
    )
    add_timeout(said, "no job runs")
    return said


def _still_running(told: Mapping[str, Any]) -> Iterator[str]:
    if told["running_num"]:
        yield f"no new jobs are taken, but {told['running_num']} still run"
