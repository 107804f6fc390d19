"""`botod systemd-unit`: print a file for systemd, with the path of this program in it."""

import argparse
import sys
from collections.abc import Sequence

from botod.daemon.shipped import ELSEWHERE, program, shipped, units


def main(argv: Sequence[str]) -> int:
    name = parser().parse_args(argv).name
    sys.stdout.write(shipped(name).replace(ELSEWHERE, program()))
    return 0


def parser() -> argparse.ArgumentParser:
    """What may be said."""
    said = argparse.ArgumentParser(
        prog="botod systemd-unit",
        description="Print a file for systemd, with the path of this program in it.",
    )
    said.add_argument(
        "name",
        metavar="NAME",
        nargs="?",
        default="botod.service",
        choices=units(),
        help=f"one of {', '.join(units())}; default: botod.service",
    )
    return said
