"""Two hundred long polls through a real daemon, and what else goes on beside them."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from support.daemons import Daemon, endpoints, running_daemon, wait_until
from support.http_server import Exchange, http_server
from support.services import query_xml

POLLS = 200
QUEUE = {"QueueUrl": "http://q/1/jobs"}
TIMEOUT_S = 30.0


class Queue:
    """A server at which nothing is to be received until the test says so."""

    def __init__(self) -> None:
        self.release = threading.Event()
        self.events: list[str] = []

    def __call__(self, exchange: Exchange) -> None:
        if b"Action=ReceiveMessage" in exchange.body:
            assert self.release.wait(TIMEOUT_S)
            self.events.append("poll")
            query_xml("ReceiveMessage")(exchange)
        else:
            self.events.append("send")
            query_xml("SendMessage", "<MessageId>m</MessageId>")(exchange)


def polls_leased(daemon: Daemon) -> tuple[int, int]:
    """How many polls have a slot at the queue's host, and how many wait for one."""
    with daemon.connect() as connection:
        pools = connection.call("botod.status")["pools"]
    return sum(one["polls_leased_num"] for one in pools), sum(
        one["polls_waiting_num"] for one in pools
    )


def poll(daemon: Daemon, number: int) -> list[Any]:
    """Poll so many times at once."""
    params = QUEUE | {"WaitTimeSeconds": 20}
    with daemon.connect() as connection:
        return connection.batch([("sqs.receive_message", params)] * number)


def test_two_hundred_polls_delay_no_send() -> None:
    """They have 48 of 64 slots; each send is answered while all of them wait."""
    queue = Queue()
    with (
        http_server(queue) as aws,
        running_daemon(endpoints(aws.port)) as daemon,
        ThreadPoolExecutor() as threads,
        daemon.connect() as connection,
    ):
        polls = [threads.submit(poll, daemon, 100) for _ in range(POLLS // 100)]
        wait_until(lambda: polls_leased(daemon) == (48, POLLS - 48), daemon)
        for _ in range(20):
            sent = connection.call("sqs.send_message", QUEUE | {"MessageBody": "x"})
            assert sent["MessageId"] == "m"
        assert queue.events == ["send"] * 20
        queue.release.set()
        results = [result for one in polls for result in one.result(TIMEOUT_S)]
        assert all("ResponseMetadata" in result for result in results)
        assert polls_leased(daemon) == (0, 0)
