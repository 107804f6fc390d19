"""`botod status`: what a running daemon is doing, for a person or (`--json`) for a program."""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from botod.daemon.asking import TIMEOUT_S, asked, silent
from botod.ipc.client import connect


def main(argv: Sequence[str]) -> int:
    arguments = parser().parse_args(argv)
    return asked(lambda: _show(arguments.socket, as_json=arguments.json))


def _show(path: str | None, *, as_json: bool) -> int:
    with connect(path, timeout_s=TIMEOUT_S) as connection:
        status = connection.call("botod.status", {"history": as_json})
    lines = [json.dumps(status, indent=2)] if as_json else report(status)
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


def parser() -> argparse.ArgumentParser:
    """What may be said."""
    said = argparse.ArgumentParser(
        prog="botod status", description="Show what a running daemon is doing."
    )
    said.add_argument("--json", action="store_true", help="all figures, as JSON")
    said.add_argument("--socket", metavar="PATH", help="default: $BOTOD_SOCKET or the usual place")
    return said


def report(status: dict[str, Any]) -> Iterator[str]:
    """The lines a person reads."""
    jobs, visits = status["jobs"], status["visits"]
    yield f"botod {status['version']}, pid {status['pid']}, up {status['uptime_s']:.0f} s"
    for worker in status.get("workers", ()):
        leads = ", leads" if worker["is_leader"] else ""
        yield (
            f"worker  {worker['number']}: pid {worker['pid']}, up {worker['uptime_s']:.0f} s, "
            f"{worker['peers_num']} peers, {worker['running_num']} jobs running{leads}"
        )
    yield from silent(status)
    yield (
        f"jobs    {jobs['running_num']} running, {jobs['jobs_total']} so far, "
        f"{jobs['failed_total']} failed"
    )
    if jobs["joined_total"] or jobs["remembered_num"]:
        yield (
            f"keys    {jobs['joined_total']} requests joined another's job, "
            f"{jobs['remembered_num']} outcomes remembered"
        )
    if status["buffered_bytes"]:
        yield f"memory  {status['buffered_bytes']} bytes held for peers"
    if status["refused_by_limit"]:
        counts = (f"{number} by {limit}" for limit, number in status["refused_by_limit"].items())
        yield f"refused {', '.join(counts)}"
    yield (
        f"visits  {visits['visits_num']}, longest {visits['longest_s'] * 1000:.1f} ms, "
        f"{visits['over_10ms_num']} over 10 ms, {visits['over_100ms_num']} over 100 ms"
    )
    total = status["total"]
    bound = "no bound" if total["slots_num"] is None else f"{total['slots_num']} at most"
    yield (
        f"total   {total['leased_num']} slots in use, {bound}; "
        f"{total['claiming_num']} hosts kept waiting by it"
    )
    for pool in status["pools"]:
        sockets = pool["sockets"]
        yield (
            f"pool    {pool['origin']}: {pool['leased_num']} of {pool['slots_num']} slots in use, "
            f"{pool['waiting_num']} waiting; {_polls(pool)}sockets {sockets['open_num']} open, "
            f"{sockets['opened_total']} opened, {sockets['reused_total']} reused; "
            f"host {pool['health']['state']}"
        )
    for peer in status["peers"]:
        yield (
            f"peer    pid {peer['pid']} uid {peer['uid']}: {peer['in_flight_num']} in flight, "
            f"{peer['requests_total']} requests, {peer['unread_bytes']} bytes unread"
        )


def _polls(pool: dict[str, Any]) -> str:
    """How many of a host's slots long polls have, if there are any."""
    if not pool["polls_leased_num"] and not pool["polls_waiting_num"]:
        return ""
    return (
        f"polls {pool['polls_leased_num']} of {pool['polls_slots_num']} slots, "
        f"{pool['polls_waiting_num']} waiting; "
    )
