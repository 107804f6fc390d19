"""A daemon whose peers send more than it may hold: the rest is refused, memory is bounded."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from botod.ipc import Code, RpcError
from support.daemons import BOUND_S, Daemon, endpoints, running_daemon, wait_until
from support.figures import figures, rss_bytes, status_of, survives
from support.http_server import http_server
from support.services import Held, reply

BODY_BYTES = 1024 * 1024
BUDGET_BYTES = 8 * BODY_BYTES
PEERS = 40

OVERHEAD_BYTES = 64 * 1024 * 1024
"""Of bodies on their way through boto and curl, and of what malloc keeps."""


def put(daemon: Daemon) -> int | None:
    """An object in memory; the error's code."""
    params: dict[str, Any] = {"Bucket": "bucket", "Key": "key", "Body": b"x" * BODY_BYTES}
    with daemon.connect() as connection:
        try:
            connection.call("s3.put_object", params, timeout_s=BOUND_S)
        except RpcError as error:
            return error.code
    return None


def test_more_than_it_may_hold() -> None:
    """As many as have room are done, the others told so at once; then there is room again."""
    held = Held(reply())
    limits = {"buffered_bytes": BUDGET_BYTES, "buffered_bytes_per_uid": BUDGET_BYTES}
    with http_server(held) as server:
        config = endpoints(server.port) | {"limits": limits | {"inline_bytes": BODY_BYTES}}
        held.release.set()
        with running_daemon(config) as daemon, survives(daemon, lambda: put(daemon)):
            held.release.clear()
            rss = rss_bytes(daemon)
            with ThreadPoolExecutor(PEERS) as threads:
                jobs = [threads.submit(put, daemon) for _ in range(PEERS)]
                wait_until(lambda: sum(job.done() for job in jobs) > PEERS // 2, daemon)
                assert 0 < figures(daemon)["buffered_bytes"] <= BUDGET_BYTES
                assert rss_bytes(daemon) - rss < OVERHEAD_BYTES
                held.release.set()
                codes = [job.result(BOUND_S) for job in jobs]
            assert set(codes) == {None, Code.OVERLOADED}
            refused = status_of(daemon)["refused_by_limit"]
            by_budget = sum(n for limit, n in refused.items() if limit.startswith("buffered_bytes"))
            assert by_budget == codes.count(Code.OVERLOADED)
