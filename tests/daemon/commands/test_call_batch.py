"""`botod call --batch`: a line for each line, whatever becomes of the others."""

import json
import os
import signal
import socket
import subprocess
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from botod.daemon.commands.call_batch import ASK_AGAIN_FOR_S
from support.daemons import BOUND_S, Daemon, short_folder
from support.http_server import HttpServer
from support.tools import tool

BODY = bytes(range(256)) + b"\r\n\n"
GET = {"method": "s3.get_object", "params": {"Bucket": "photos", "Key": "cat.jpg"}}
PING = {"method": "botod.ping"}


def started(path: str, *words: str) -> "subprocess.Popen[bytes]":
    """The command, with pipes."""
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [tool("botod"), "call", "--batch", "--socket", path, *words],
        stdin=pipe, stdout=pipe, stderr=pipe,
    )  # fmt: skip


class Done:
    """What a batch left."""

    def __init__(self, path: str, lines: list[Any], *words: str, end: str = "\n") -> None:
        texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
        with started(path, *words) as process:
            out, err = process.communicate(("\n".join(texts) + end).encode(), BOUND_S)
        self.status = process.returncode
        self.err = err.decode()
        self.lines = [json.loads(line) for line in out.splitlines()]

    @property
    def by_id(self) -> dict[Any, Any]:
        return {line["id"]: line for line in self.lines}

    def codes(self) -> dict[Any, int]:
        """The errors' codes by id."""
        return {line["id"]: line["error"]["code"] for line in self.lines if "error" in line}


class FakeDaemon:
    """What a listening socket hears, and answers as it is told; `botod.hello` by itself."""

    def __init__(self, listener: socket.socket, path: str, in_flight: int) -> None:
        self.path = path
        self._listener = listener
        self._peers: list[FakePeer] = []
        limits = {"in_flight_per_peer": in_flight, "in_flight_per_uid": 99, "line_bytes": 1000}
        self._hello = {"jsonrpc": "2.0", "id": 1, "result": {"limits": limits}}

    def greet(self) -> None:
        """Say the limits to who asks for them."""
        peer = self.accept()
        assert peer.hear()["method"] == "botod.hello"
        peer.say(self._hello)
        peer.close()

    def accept(self) -> "FakePeer":
        self._peers.append(FakePeer(self._listener.accept()[0]))
        return self._peers[-1]

    def close(self) -> None:
        for peer in self._peers:
            peer.close()


class FakePeer:
    """One connection of a fake daemon. `unheard`: what came with the last line that was heard."""

    def __init__(self, sock: socket.socket) -> None:
        sock.settimeout(BOUND_S)
        self._socket = sock
        self.unheard = b""

    def hear(self) -> Any:
        """The next message; None at the end."""
        while b"\n" not in self.unheard:
            data = self._socket.recv(65536)
            if not data:
                return None
            self.unheard += data
        line, _newline, self.unheard = self.unheard.partition(b"\n")
        return json.loads(line)

    def say(self, message: dict[str, Any]) -> None:
        self._socket.sendall(json.dumps(message).encode() + b"\n")

    def ok(self, asked: dict[str, Any]) -> None:
        self.say({"jsonrpc": "2.0", "id": asked["id"], "result": asked.get("params")})

    def close(self) -> None:
        self._socket.close()


@contextmanager
def faked(story: Callable[[FakeDaemon], None], in_flight: int = 10) -> Iterator[str]:
    """A daemon that does what `story` says after the greeting; what it raises fails the test."""
    failures: list[BaseException] = []
    with short_folder() as folder, socket.socket(socket.AF_UNIX) as listener:
        path = str(folder / "x.sock")
        listener.bind(path)
        listener.listen()
        listener.settimeout(BOUND_S)
        daemon = FakeDaemon(listener, path, in_flight)

        def told() -> None:
            try:
                daemon.greet()
                story(daemon)
            except BaseException as error:  # noqa: BLE001 - it is raised in the test
                failures.append(error)
            finally:
                daemon.close()

        thread = threading.Thread(target=told)
        thread.start()
        yield path
        thread.join(BOUND_S)
    assert not failures, failures


def test_each_line_has_its_answer(daemon: Daemon) -> None:
    """Under its own id or its number; bytes as base64; status 0."""
    done = Done(daemon.socket_path, [GET, {**PING, "id": "ü"}, "", GET | {"id": None}], end="")
    assert (done.status, done.err, len(done.lines)) == (0, "", 3)
    body = {"$base64": b64encode(BODY).decode()}
    assert done.by_id[1]["result"]["Body"] == body
    assert done.by_id[None]["result"]["Body"] == body
    assert done.by_id["ü"]["result"]["pid"] == daemon.process.pid


def test_bytes_are_sent_as_they_are(daemon: Daemon, aws: HttpServer) -> None:
    """What stands in base64; an id may be any JSON."""
    params = {"Bucket": "photos", "Key": "k", "Body": {"$base64": b64encode(BODY).decode()}}
    done = Done(daemon.socket_path, [{"id": [1], "method": "s3.put_object", "params": params}])
    assert [line["id"] for line in done.lines] == [[1]]
    assert aws.requests[0].body == BODY


def test_a_body_larger_than_a_line_of_the_wire(daemon: Daemon, aws: HttpServer) -> None:
    """It goes as declared bytes, which may be 16 MiB."""
    body = os.urandom(1 << 20) * 3
    params = {"Bucket": "photos", "Key": "k", "Body": {"$base64": b64encode(body).decode()}}
    done = Done(daemon.socket_path, [{"method": "s3.put_object", "params": params}])
    assert (done.status, done.codes()) == (0, {})
    assert aws.requests[0].body == body


def test_bad_lines_are_answered_and_the_rest_goes_on(daemon: Daemon) -> None:
    """Each with the code that says what is wrong; status 1."""
    lines = [
        "no json",
        "[1]",
        {"params": {}},
        {**PING, "progress": True},
        {**PING, "params": {"a": {"$base64": "?"}}},
        {**PING, "params": {"a": "x" * (1 << 20)}},
        "\udcff",
        {"method": "no.such"},
        {"method": "s3.get_object", "params": {"Bucket": "photos", "Key": "none"}, "id": "none"},
        "[" * 100_000,
        PING,
    ]
    with started(daemon.socket_path) as process:
        texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
        data = "\n".join(texts).encode(errors="surrogateescape")
        out, err = process.communicate(data, BOUND_S)
    answers = {answer["id"]: answer for answer in map(json.loads, out.splitlines())}
    codes = {name: answer["error"]["code"] for name, answer in answers.items() if name != 11}
    assert (process.returncode, err) == (1, b"")
    assert codes == {
        1: -32700, 2: -32600, 3: -32600, 4: -32600, 5: -32602, 6: -32007, 7: -32700, 8: -32601,
        "none": -32000, 10: -32700,
    }  # fmt: skip
    assert answers["none"]["error"]["data"]["type"] == "NoSuchKey"
    assert answers[11]["result"]["pid"] == daemon.process.pid


def test_a_line_without_end_is_not_held(daemon: Daemon) -> None:
    """Memory is bounded: what is too long is answered, and the next line counts again."""
    done = Done(daemon.socket_path, ["x" * (33 << 20), PING])
    assert done.codes() == {1: -32007}
    assert done.by_id[2]["result"]["pid"] == daemon.process.pid


def test_options_of_the_command_are_the_lines_default(daemon: Daemon) -> None:
    """What a line says itself comes first."""
    lines = [GET, GET | {"profile": "default"}, GET | {"timeout_s": 901}]
    done = Done(daemon.socket_path, lines, "--profile=none", "--timeout=30")
    assert done.codes() == {1: -32602, 3: -32602}
    assert "timeout_s" in done.by_id[3]["error"]["message"]


def test_more_lines_than_may_be_in_flight(daemon: Daemon) -> None:
    """None is refused: the daemon's limits are asked for and kept."""
    done = Done(daemon.socket_path, [PING] * 3000)
    assert (done.status, done.err) == (0, "")
    assert done.by_id.keys() == set(range(1, 3001))


def test_so_many_are_in_flight_at_once_and_no_more() -> None:
    """One leaves, the next goes; answers come in the order in which they are done."""

    def story(daemon: FakeDaemon) -> None:
        peer = daemon.accept()
        first, second = peer.hear(), peer.hear()
        assert peer.unheard == b""  # all would have come at once
        peer.ok(second)
        third = peer.hear()
        peer.ok(third)
        peer.ok(first)
        assert peer.hear() is None
        peer.close()

    with faked(story, in_flight=2) as path:
        done = Done(path, [PING | {"params": {"n": n}} for n in range(3)])
    assert [line["id"] for line in done.lines] == [2, 3, 1]
    assert [line["result"]["n"] for line in done.lines] == [1, 2, 0]


def test_answers_do_not_wait_for_the_end_of_input() -> None:
    """A program may write a line, read its answer, and go on."""

    def story(daemon: FakeDaemon) -> None:
        peer = daemon.accept()
        while asked := peer.hear():
            peer.ok(asked)
        peer.close()

    with faked(story) as path, started(path) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for number in range(1, 4):
            process.stdin.write(json.dumps(PING).encode() + b"\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["id"] == number
        process.communicate(timeout=BOUND_S)
    assert process.returncode == 0


def test_what_the_daemon_had_no_room_for_is_asked_again() -> None:
    """After the pause that it asked for; nobody hears of it."""
    data = {"limit": "in_flight_per_uid", "retry_after_ms": 20}
    error = {"code": -32005, "message": "too much", "data": data}

    def story(daemon: FakeDaemon) -> None:
        peer = daemon.accept()
        first, second = peer.hear(), peer.hear()
        for asked in (first, second):
            peer.say({"jsonrpc": "2.0", "id": asked["id"], "error": error})
        again = [peer.hear(), peer.hear()]
        assert again == [first, second]
        peer.ok(first)
        peer.say({"jsonrpc": "2.0", "id": second["id"], "error": {**error, "data": late}})
        peer.hear()
        peer.close()

    late = {"retry_after_ms": int(ASK_AGAIN_FOR_S * 1000) + 1000}
    with faked(story) as path:
        done = Done(path, [PING, PING])
    assert done.codes() == {2: -32005}
    assert done.status == 1


def test_an_idle_connection_is_opened_anew() -> None:
    """What was sent after the daemon gave it up was not read, and is sent again."""
    idle = {"jsonrpc": "2.0", "id": None, "error": {"code": -32016, "message": "idle"}}

    def story(daemon: FakeDaemon) -> None:
        peer = daemon.accept()
        asked = peer.hear()
        peer.say(idle)
        peer.close()
        other = daemon.accept()
        assert other.hear() == asked
        other.ok(asked)
        other.close()

    with faked(story) as path:
        done = Done(path, [PING])
    assert (done.status, done.codes()) == (0, {})


def test_a_daemon_that_goes_away() -> None:
    """What was in flight is answered, its outcome unknown. Status 3, and a line that says so."""

    def story(daemon: FakeDaemon) -> None:
        peer = daemon.accept()
        peer.ok(peer.hear())
        peer.hear()
        peer.close()

    with faked(story) as path:
        done = Done(path, [PING, PING])
    assert (done.status, done.codes()) == (3, {2: -32001})
    assert done.by_id[2]["error"]["data"] == {"outcome_unknown": True}
    assert "whether the request was done is not known" in done.err
    assert done.err.count("\n") == 1


def test_a_slow_reader_is_no_reason_to_stop_listening() -> None:
    """Answers wait in the command: a daemon hangs up on peers that do not read."""

    def story(daemon: FakeDaemon) -> None:
        peer = daemon.accept()
        asked = [peer.hear() for _ in range(3)]
        for one in asked:
            peer.say({"jsonrpc": "2.0", "id": one["id"], "result": "x" * 1_000_000})
        all_taken.set()
        peer.close()

    all_taken = threading.Event()
    with faked(story) as path, started(path) as process:
        assert process.stdin is not None
        process.stdin.write(b"".join(json.dumps(PING).encode() + b"\n" for _ in range(3)))
        process.stdin.flush()
        assert all_taken.wait(BOUND_S)
        out, err = process.communicate(timeout=BOUND_S)
    assert ([len(json.loads(line)["result"]) for line in out.splitlines()], err) == (
        [1_000_000] * 3,
        b"",
    )


def test_no_daemon() -> None:
    """Status 3 before anything is read."""
    done = Done("/no/such.sock", [])
    assert (done.status, done.lines) == (3, [])
    assert done.err.startswith("botod: no daemon answers at /no/such.sock")


def test_no_input(daemon: Daemon) -> None:
    """Nothing was asked, so nothing failed."""
    done = Done(daemon.socket_path, [], end="")
    assert (done.status, done.lines, done.err) == (0, [], "")


def test_a_reader_that_leaves(daemon: Daemon) -> None:
    """As in `botod call --batch | head -n 1`: quiet, and not a success."""
    with started(daemon.socket_path) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        process.stdin.write(json.dumps(PING).encode() + b"\n")
        process.stdin.flush()
        assert process.wait(BOUND_S) == 1
        assert process.stderr.read() == b""


def test_ctrl_c_ends_it() -> None:
    """Quietly, though input is open and a request is under way."""
    heard = threading.Event()

    def story(daemon: FakeDaemon) -> None:
        peer = daemon.accept()
        peer.hear()
        heard.set()
        assert peer.hear() is None
        peer.close()

    with faked(story) as path, started(path) as process:
        assert process.stdin is not None
        process.stdin.write(json.dumps(PING).encode() + b"\n")
        process.stdin.flush()
        assert heard.wait(BOUND_S)
        process.send_signal(signal.SIGINT)
        _out, err = process.communicate(timeout=BOUND_S)
    assert (process.returncode, err) == (130, b"")
