"""`botod top`: what a running daemon does, live."""

import argparse
import contextlib
import json
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from botod.daemon.asking import TIMEOUT_S, asked
from botod.daemon.screen import Quit, Screen
from botod.daemon.top_frame import JOBS_MOST, Sample, frame
from botod.ipc.client import Connection, connect
from botod.ipc.errors import DaemonUnavailable, RpcError

INTERVALS_S = (0.1, 3600.0)
"""More often than ten times a second nobody can read it."""

ASKED: Sequence[tuple[str, Mapping[str, Any]]] = (
    ("botod.status", {}),
    ("botod.show", {"what": "jobs", "most": JOBS_MOST}),
)
"""In one message."""


def main(argv: Sequence[str]) -> int:
    arguments = parser().parse_args(argv)

    def show() -> int:
        with connect(arguments.socket, timeout_s=TIMEOUT_S) as connection:
            if arguments.json:
                with contextlib.suppress(KeyboardInterrupt):
                    _tell(connection, arguments.interval, once=arguments.once)
                return 0
            try:
                with Screen() as screen:
                    _run(connection, screen, arguments.interval, once=arguments.once)
            except Quit:
                pass
        return 0

    return asked(show)


def parser() -> argparse.ArgumentParser:
    """What may be said."""
    said = argparse.ArgumentParser(
        prog="botod top",
        description=(
            "Show what a daemon does, live: host pools, operations, the last slow visits, peers "
            "and the oldest jobs; rates and times are those of the last interval. q ends it. The "
            "jobs need an administrator."
        ),
    )
    said.add_argument(
        "--interval",
        metavar="SECONDS",
        type=_interval,
        default=1.0,
        help="how often it is asked; default: 1",
    )
    said.add_argument("--once", action="store_true", help="one screen, after one interval")
    said.add_argument(
        "--json",
        action="store_true",
        help="a line of JSON an interval instead: status, and the oldest jobs; null: not for you",
    )
    said.add_argument("--socket", metavar="PATH", help="default: $BOTOD_SOCKET or the usual place")
    return said


def _tell(connection: Connection, interval_s: float, *, once: bool) -> None:
    """For programs: totals, as `botod status --json` has them, not differences."""
    while True:
        sample = _sample(connection)
        sys.stdout.write(json.dumps({"status": sample.status, "jobs": sample.jobs}) + "\n")
        sys.stdout.flush()
        if once:
            return
        time.sleep(interval_s)


def _run(connection: Connection, screen: Screen, interval_s: float, *, once: bool) -> None:
    """Show frames until there were enough. Raises Quit, RpcError; DaemonUnavailable at first."""
    before = now = _sample(connection)
    while True:
        _wait(screen, before, now, interval_s)
        try:
            sample = _sample(connection)
        except DaemonUnavailable as error:
            if once:
                raise
            screen.show([f"botod: {error}"])
            continue
        before, now = now, sample
        _show(screen, before, now)
        if once:
            return


def _wait(screen: Screen, before: Sample, now: Sample, interval_s: float) -> None:
    """Until the next frame is due; what is shown is drawn anew if the terminal changes."""
    due = time.monotonic() + interval_s
    while (left_s := due - time.monotonic()) > 0:
        if screen.pause(left_s) and before is not now:
            _show(screen, before, now)


def _show(screen: Screen, before: Sample, now: Sample) -> None:
    columns, lines = screen.size()
    screen.show(frame(before, now, columns=columns, lines=lines))


def _sample(connection: Connection) -> Sample:
    status, jobs = connection.batch(ASKED)
    if isinstance(status, RpcError):
        raise status
    if isinstance(jobs, RpcError):
        return Sample(time.monotonic(), status)
    rows = [row for one in jobs["workers"] for row in one["rows"]]
    oldest = sorted(rows, key=lambda row: -row["age_s"])[:JOBS_MOST]
    return Sample(time.monotonic(), status, oldest)


def _interval(text: str) -> float:
    seconds = float(text)
    least, most = INTERVALS_S
    if not least <= seconds <= most:
        raise ValueError(text)
    return seconds
