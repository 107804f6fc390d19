"""The wire alone: pings and inline bodies over the Unix socket, beside Tornado's HTTP over one.

    python bench/wire.py            # three rounds of each, about half a minute
    python bench/wire.py --quick    # one, about ten seconds

The claim: a ping of 300 bytes takes at most 60 us there and back, one after another, client and
server on one core; pipelined, one core serves at least 40,000 a second; bodies of 256 KiB, declared
inline, move at 500 MB/s at least. Exit status 1 if not.

The servers answer at once, in a process of their own; the client is another one, with plain
sockets. `botod.ipc.Server` has a handler that does nothing, so this is what the wire costs before
any job begins. "echo" answers each read with the same bytes and looks at nothing: what the loop and
the kernel take. On two cores a ping waits for each of them to wake, which takes most of its time.
Medians over the rounds.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import socket
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

PING_BYTES = 300
SERIAL = 5_000
PIPELINED = 50_000
BODY_BYTES = 256 * 1024
BODIES = 2_000
WARM_UP = 500
STARTED_WITHIN_S = 10.0

SERIAL_US_MAX = 60.0
PIPELINED_PER_S_MIN = 40_000.0
BODIES_MB_PER_S_MIN = 500.0


def serve_botod(path: str) -> None:
    """Answer every request with nothing much."""
    from botod.ipc.limits import ServerLimits
    from botod.ipc.server import Server

    async def main() -> None:
        server = Server(lambda exchange: exchange.answer({"pid": 1}), ServerLimits())
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        server.listen(listener)
        await asyncio.Event().wait()

    asyncio.run(main())


def serve_echo(path: str) -> None:
    """Answer every read with the same few bytes."""
    answer = b'{"jsonrpc":"2.0","id":1,"result":{"pid":1}}\n'

    class Echo(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            assert isinstance(transport, asyncio.Transport), "a socket has both directions"
            self._transport = transport

        def data_received(self, data: bytes) -> None:
            self._transport.write(answer * data.count(b"\n"))

    async def main() -> None:
        await asyncio.get_running_loop().create_unix_server(Echo, path)
        await asyncio.Event().wait()

    asyncio.run(main())


def serve_tornado(path: str) -> None:
    """Answer every POST with nothing much."""
    import tornado.httpserver
    import tornado.netutil
    import tornado.web

    class Ping(tornado.web.RequestHandler):
        def post(self) -> None:
            self.finish({"pid": 1})

    async def main() -> None:
        app = tornado.web.Application([("/", Ping)], log_function=lambda _handler: None)
        server = tornado.httpserver.HTTPServer(app, max_buffer_size=1 << 30)
        server.add_socket(tornado.netutil.bind_unix_socket(path))
        await asyncio.Event().wait()

    asyncio.run(main())


def botod_message(number: int, size: int) -> bytes:
    """A request of `size` bytes, or with a body of so many if that is large."""
    envelope: dict[str, Any] = {"jsonrpc": "2.0", "id": number, "method": "botod.ping"}
    if size >= BODY_BYTES:
        envelope |= {"params": {"Body": {"$bytes": 0}}, "bytes": [size]}
        return json.dumps(envelope).encode() + b"\n" + bytes(size)
    envelope["params"] = {"pad": ""}
    envelope["params"]["pad"] = "x" * (size - len(json.dumps(envelope)) - 1)
    return json.dumps(envelope).encode() + b"\n"


def tornado_message(_number: int, size: int) -> bytes:
    """The same as a POST."""
    head = "POST / HTTP/1.1\r\nHost: botod\r\nContent-Length: {}\r\n\r\n"
    body = size if size >= BODY_BYTES else size - len(head)
    return head.format(body).encode() + b"x" * body


PEERS: dict[str, tuple[Callable[[str], None], Callable[[int, int], bytes], bytes]] = {
    "echo": (serve_echo, botod_message, b"\n"),
    "botod": (serve_botod, botod_message, b"\n"),
    "tornado": (serve_tornado, tornado_message, b'{"pid": 1}'),
}
"""Server, message, and what each answer has once."""


class Client:
    """One connection."""

    def __init__(self, path: str, make: Callable[[int, int], bytes], mark: bytes) -> None:
        self._make = make
        self._mark = mark
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(path)
        self._buffer = bytearray(1 << 18)  # a new one for each read would be most of a ping

    def serial_us(self, number: int) -> float:
        """One after another."""
        message = self._make(1, PING_BYTES)
        began = time.perf_counter()
        for _ in range(number):
            self._socket.sendall(message)
            self._read(1)
        return (time.perf_counter() - began) / number * 1e6

    def per_s(self, number: int, size: int) -> float:
        """All at once, as fast as they are taken."""
        messages = [self._make(index, size) for index in range(min(number, WARM_UP))]
        data = b"".join(messages)
        sends = threading.Thread(
            target=lambda: [self._socket.sendall(data) for _ in range(number // len(messages))]
        )
        began = time.perf_counter()
        sends.start()
        self._read(number)
        took_s = time.perf_counter() - began
        sends.join()
        return number / took_s

    def _read(self, answers: int) -> None:
        tail = bytearray()
        while answers:
            size = self._socket.recv_into(self._buffer)
            assert size, "the server hung up"
            text = tail + self._buffer[:size]
            answers -= text.count(self._mark)
            tail = text[len(text) - len(self._mark) + 1 :] if len(self._mark) > 1 else tail


def on_one_core(run: Callable[[], float], *pids: int | None) -> float:
    """What `run` gives while these processes share a core."""
    cores = os.sched_getaffinity(0)
    for pid in pids:
        os.sched_setaffinity(pid or 0, {min(cores)})
    try:
        return run()
    finally:
        for pid in pids:
            os.sched_setaffinity(pid or 0, cores)


def measure(name: str) -> dict[str, float]:
    """One round of one peer."""
    serve, make, mark = PEERS[name]
    with tempfile.TemporaryDirectory(prefix="botod-bench-") as folder:
        path = f"{folder}/socket"
        process = multiprocessing.Process(target=serve, args=(path,), daemon=True)
        process.start()
        deadline = time.monotonic() + STARTED_WITHIN_S
        while not Path(path).exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.1)  # it is bound, but does not listen yet
        try:
            client = Client(path, make, mark)
            client.serial_us(WARM_UP)
            pids = (0, process.pid)
            return {
                "two_cores_us": client.serial_us(SERIAL),
                "serial_us": on_one_core(lambda: client.serial_us(SERIAL), *pids),
                "per_s": client.per_s(PIPELINED, PING_BYTES),
                "mb_per_s": client.per_s(BODIES, BODY_BYTES) * BODY_BYTES / 1e6,
            }
        finally:
            process.terminate()
            process.join(10)


def main() -> None:
    """Measure both, round by round, and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="one round instead of three")
    rounds = 1 if parser.parse_args().quick else 3
    results: dict[str, list[dict[str, float]]] = {name: [] for name in PEERS}
    for _ in range(rounds):
        for name, figures in results.items():
            figures.append(measure(name))
    print(f"{'':<10}{'serial us':>10}{'two cores':>11}{'pipelined/s':>13}{'256 KiB MB/s':>14}")
    middle = {
        name: {key: statistics.median(one[key] for one in figures) for key in figures[0]}
        for name, figures in results.items()
    }
    for name, one in middle.items():
        print(
            f"{name:<10}{one['serial_us']:>10.1f}{one['two_cores_us']:>11.1f}"
            f"{one['per_s']:>13.0f}{one['mb_per_s']:>14.0f}"
        )
    ours = middle["botod"]
    good = (
        ours["serial_us"] <= SERIAL_US_MAX
        and ours["per_s"] >= PIPELINED_PER_S_MIN
        and ours["mb_per_s"] >= BODIES_MB_PER_S_MIN
    )
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
