"""Many processes at once on few slots."""

import subprocess
import sys
import threading
from pathlib import Path

from support.daemons import endpoints, running_daemon
from support.http_server import Exchange, http_server
from support.loops import BOUND_S

PROCESSES = 20
JOBS = 10
SLOTS = 8
LATENCY_S = 0.1
HEARTBEAT = str(Path(__file__).parents[1] / "support" / "heartbeat.py")

MANY_JOBS = """
import json, socket, sys
path, process, jobs = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
sock = socket.socket(socket.AF_UNIX)
sock.connect(path)
sys.stdin.readline()
for job in range(jobs):
    params = {"QueueUrl": "/1/q", "MessageBody": f"{process}-{job}"}
    request = {"jsonrpc": "2.0", "id": job, "method": "sqs.send_message", "params": params}
    sock.sendall(json.dumps(request).encode() + b"\\n")
answers = sock.makefile("rb")
left = set(range(jobs))
while left:
    answer = json.loads(answers.readline())
    assert answer["result"]["MessageId"] == f"{process}-{answer['id']}", answer
    left.remove(answer["id"])
"""
"""Send all requests, then read all answers; each answer has to be that of its own request."""


def test_two_hundred_jobs_of_twenty_processes_on_eight_slots() -> None:
    """All succeed, over at most eight connections, each request sent once, and nobody hogs."""
    bodies: list[str] = []
    pause = threading.Event()  # nobody sets it: its wait is the server's latency

    def answer(exchange: Exchange) -> None:
        pause.wait(LATENCY_S)
        body = exchange.body.decode().partition("MessageBody=")[2].partition("&")[0]
        bodies.append(body)
        exchange.ok(
            b"<SendMessageResponse><SendMessageResult><MessageId>"
            + body.encode()
            + b"</MessageId></SendMessageResult></SendMessageResponse>"
        )

    with http_server(answer) as server:
        config = endpoints(server.port, sqs_batching=False) | {"pool": {"slots_per_host": SLOTS}}
        with running_daemon(config, command=(HEARTBEAT,)) as daemon:
            processes = [
                subprocess.Popen(
                    [sys.executable, "-c", MANY_JOBS, daemon.socket_path, str(number), str(JOBS)],
                    stdin=subprocess.PIPE,
                )
                for number in range(PROCESSES)
            ]
            for process in processes:  # all are connected, or about to; now all ask
                assert process.stdin is not None
                process.stdin.write(b"go\n")
                process.stdin.close()
            statuses = [process.wait(BOUND_S) for process in processes]
            with daemon.connect() as connection:
                status = connection.call("botod.status")
            assert daemon.stop() == 0
            print(daemon.wait_for_line("beats, late by"))  # noqa: T201 - the clock, for the reader
    assert statuses == [0] * PROCESSES
    assert sorted(bodies) == sorted(f"{p}-{j}" for p in range(PROCESSES) for j in range(JOBS))
    assert len(server.requests) == PROCESSES * JOBS
    assert server.connections_total <= SLOTS
    (pool,) = status["pools"]
    assert pool["leases_total"] == PROCESSES * JOBS
    assert (pool["leased_num"], pool["waiting_num"]) == (0, 0)
    assert pool["sockets"]["opened_total"] <= SLOTS
    assert status["visits"]["longest_cpu_s"] <= 0.1
