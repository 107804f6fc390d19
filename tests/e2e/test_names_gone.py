"""A daemon whose name server goes and comes back, in a network of the test's own."""

import contextlib
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from botod.ipc import Code, RpcError
from support.daemons import BOUND_S, Daemon, running_daemon
from support.figures import succeeds, survives
from support.http_server import http_server
from support.own_namespaces import needs_root, private_network, with_mounts
from support.private_network import answer_to, name_socket
from support.services import query_xml

pytestmark = [needs_root, pytest.mark.long]

HOSTS = 24
"""Each is asked for once while there is no answer, or after it: what is known is kept a minute."""

PROMPT_S = 10.0

TAKEN = query_xml("SendMessage", "<MessageId>m</MessageId>")

RESOLVER = "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n"


@contextlib.contextmanager
def name_server() -> Iterator[None]:
    """Answer questions for the length of a block."""
    with name_socket() as port:
        stopped = threading.Event()

        def serve() -> None:
            port.settimeout(0.1)
            while not stopped.is_set():
                with contextlib.suppress(TimeoutError):
                    question, asker = port.recvfrom(4096)
                    port.sendto(answer_to(question), asker)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stopped.set()
            thread.join(BOUND_S)


def refusing() -> contextlib.AbstractContextManager[Any]:
    """Nobody is there: the kernel says so."""
    return contextlib.nullcontext()


def silent() -> contextlib.AbstractContextManager[Any]:
    """Questions come, and nobody answers them."""
    return name_socket()


def send(daemon: Daemon, number: int, **options: Any) -> None:
    """A job at a host of this number."""
    params = {"QueueUrl": "http://h/1/q", "MessageBody": "m"}
    with daemon.connect() as connection:
        connection.call("sqs.send_message", params, profile=f"p{number}", **options)


def fails_promptly(daemon: Daemon, number: int) -> None:
    """Nothing was sent, and it is known in time; others are served meanwhile."""
    began = time.monotonic()
    with pytest.raises(RpcError) as caught:
        send(daemon, number, timeout_s=2.0)
    assert caught.value.code in {Code.UNREACHABLE, Code.DEADLINE_EXCEEDED}
    assert not caught.value.data["outcome_unknown"]
    assert time.monotonic() - began < PROMPT_S
    send(daemon, 0)


@pytest.mark.parametrize("gone", [refusing, silent])
def test_names_are_gone_and_back(gone: Any, tmp_path: Path) -> None:
    """Jobs for new names fail in time, for known ones they go on; then all is as before."""
    resolver = tmp_path / "resolv.conf"
    resolver.write_text(RESOLVER)
    numbers = iter(range(1, HOSTS))
    with contextlib.ExitStack() as network:
        network.enter_context(private_network())
        names = network.enter_context(contextlib.ExitStack())
        names.enter_context(name_server())
        server = network.enter_context(http_server(TAKEN))
        profiles = {
            f"p{number}": {
                "endpoint": f"http://p{number}.test:{server.port}",
                "aws_profile": "default",
            }
            for number in range(HOSTS)
        }
        command = with_mounts(("--bind", str(resolver), "/etc/resolv.conf"))
        daemon = network.enter_context(running_daemon({"profile": profiles}, command=command))
        with survives(daemon, lambda: send(daemon, 0), within_s=PROMPT_S):
            send(daemon, next(numbers))
            names.close()
            lost = [next(numbers) for _ in range(3)]
            with gone():
                for number in lost:
                    fails_promptly(daemon, number)
            names.enter_context(name_server())
            send(daemon, next(numbers))
            for number in lost:
                succeeds(partial(send, daemon, number), PROMPT_S)
