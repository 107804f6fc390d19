"""`botod supervisor-conf`: print supervisor's configuration, with this program's path in it."""

import argparse
import sys
from collections.abc import Sequence

from botod.daemon.shipped import program, shipped

COMMAND = "command = botod "


def main(argv: Sequence[str]) -> int:
    parser().parse_args(argv)
    text = shipped("supervisord.conf").replace(COMMAND, f"command = {program()} ")
    sys.stdout.write(text)
    return 0


def parser() -> argparse.ArgumentParser:
    """What may be said."""
    return argparse.ArgumentParser(
        prog="botod supervisor-conf",
        description="Print a configuration of supervisor's, with the path of this program in it.",
    )
