"""A total over two services, and sockets that are warm before the first job."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from support.daemons import BOUND_S, Daemon, running_daemon, wait_until
from support.http_server import Exchange, http_server
from support.services import query_xml, reply

TOTAL = 4
JOBS = 16


class Gauge:
    """Answers for S3 and SQS, and counts how many requests are here; jobs' wait to be let go."""

    def __init__(self) -> None:
        self.now = 0
        self.most = 0
        self.release = threading.Event()
        self._lock = threading.Lock()

    def __call__(self, exchange: Exchange) -> None:
        self._count(1)
        if exchange.method != "HEAD":
            assert self.release.wait(BOUND_S)
        self._count(-1)
        if exchange.method == "POST":
            query_xml("SendMessage", "<MessageId>1</MessageId>")(exchange)
        else:
            reply(b"miaow")(exchange)

    def _count(self, step: int) -> None:
        with self._lock:
            self.now += step
            self.most = max(self.most, self.now)


def config(s3: int, sqs: int, **pool: int) -> dict[str, Any]:
    """Two services at two ports, with two sockets each to keep warm."""
    profile: dict[str, Any] = {
        "sqs_batching": False,
        "endpoints": {"s3": f"http://127.0.0.1:{s3}", "sqs": f"http://127.0.0.1:{sqs}"},
        "warm_sockets": {"s3": 2, "sqs": 2},
    }
    return {"profile": {"default": profile}, "pool": pool}


def job(daemon: Daemon, number: int) -> Any:
    """An S3 or an SQS job on a connection of its own."""
    with daemon.connect() as connection:
        if number % 2:
            return connection.call("s3.get_object", {"Bucket": "photos", "Key": "k"})["Body"]
        params = {"QueueUrl": "/1/q", "MessageBody": "x"}
        return connection.call("sqs.send_message", params)["MessageId"]


def status(daemon: Daemon) -> Any:
    """What the daemon says of itself."""
    with daemon.connect() as connection:
        return connection.call("botod.status")


def is_warm(daemon: Daemon) -> bool:
    """Whether both services have their two sockets, and nothing is under way."""
    now = status(daemon)
    warm = sum(pool["sockets"]["open_num"] for pool in now["pools"])
    return warm == 4 and now["total"]["leased_num"] == 0


def test_no_more_requests_at_once_than_the_total() -> None:
    """Both services have slots enough, and jobs that wait; the servers see four at once."""
    gauge = Gauge()
    with (
        http_server(gauge) as s3,
        http_server(gauge) as sqs,
        running_daemon(config(s3.port, sqs.port, total_slots=TOTAL)) as daemon,
        ThreadPoolExecutor(JOBS) as threads,
    ):
        wait_until(lambda: is_warm(daemon), daemon)
        jobs = [threads.submit(job, daemon, number) for number in range(JOBS)]
        try:
            wait_until(lambda: status(daemon)["jobs"]["running_num"] == JOBS, daemon)
            wait_until(lambda: gauge.now >= TOTAL, daemon)
            now = status(daemon)
            assert now["total"] == {
                "slots_num": TOTAL, "leased_num": TOTAL, "polls_leased_num": 0, "claiming_num": 2
            }  # fmt: skip
            assert sum(pool["waiting_num"] for pool in now["pools"]) == JOBS - TOTAL
        finally:
            gauge.release.set()
        assert {one.result(BOUND_S) for one in jobs} == {b"miaow", "1"}
        assert gauge.most == TOTAL
        assert daemon.stop() == 0


def test_sockets_are_warm_before_the_first_job() -> None:
    """Each service has its connections already, and jobs open no others."""
    gauge = Gauge()
    gauge.release.set()
    with (
        http_server(gauge) as s3,
        http_server(gauge) as sqs,
        running_daemon(config(s3.port, sqs.port)) as daemon,
    ):
        wait_until(lambda: is_warm(daemon), daemon)
        assert status(daemon)["jobs"]["jobs_total"] == 0
        for number in range(4):
            job(daemon, number)
        assert (s3.connections_total, sqs.connections_total) == (2, 2)
        assert [request.method for request in s3.requests] == ["HEAD", "HEAD", "GET", "GET"]
        assert "authorization" not in s3.requests[0].headers
        assert daemon.stop() == 0


def test_a_stop_ends_what_keeps_sockets_warm() -> None:
    """Though the server has not answered: nothing of a job is under way."""
    hold = threading.Event()

    def answer(exchange: Exchange) -> None:
        hold.wait(BOUND_S)
        exchange.ok()

    with (
        http_server(answer) as server,
        running_daemon(config(server.port, server.port)) as daemon,
    ):
        wait_until(lambda: len(server.requests) == 2, daemon)
        assert daemon.stop() == 0
        hold.set()
