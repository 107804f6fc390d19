"""`botod restart`: have a running daemon begin anew, with the program and configuration of now.

Its pid and its listening socket stay: who connects meanwhile waits, and nobody is refused.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence

from botod.daemon.asking import EXIT_FAILED, TIMEOUT_S, add_options, asked
from botod.ipc.client import connect

PAUSE_S = 0.05
"""Between two looks whether it is there again."""


def main(argv: Sequence[str]) -> int:
    arguments = parser().parse_args(argv)
    return asked(lambda: _restart(arguments.socket, arguments.timeout, as_json=arguments.json))


def parser() -> argparse.ArgumentParser:
    """What may be said."""
    said = argparse.ArgumentParser(
        prog="botod restart",
        description="Have a running daemon begin anew, with the same listening socket.",
    )
    add_options(said)
    said.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=float,
        default=60.0,
        help="how long to wait until it is there again; default: 60",
    )
    return said


def _restart(path: str | None, timeout_s: float, *, as_json: bool) -> int:
    began = time.monotonic()
    with connect(path, timeout_s=TIMEOUT_S) as connection:
        who = connection.call("botod.restart")
    while (left_s := began + timeout_s - time.monotonic()) > 0:
        with connect(path, timeout_s=left_s, wait_s=left_s) as connection:
            up_s = connection.call("botod.status")["uptime_s"]
        if up_s < time.monotonic() - began:
            if as_json:
                sys.stdout.write(json.dumps(who, indent=2) + "\n")
            return 0
        time.sleep(PAUSE_S)
    sys.stderr.write(f"botod: after {timeout_s:g} s the old one still answers; its log has more\n")
    return EXIT_FAILED
