"""The clients in other languages, each run as its head says against what `botod demo` starts."""

import contextlib
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from botod.daemon.commands.demo import started
from botod.daemon.demo.jobs import BUCKET, EVERY_BYTE, QUEUE
from botod.ipc import connect
from support.daemons import short_folder
from support.tools import environ, tool

EXAMPLES = Path(__file__).parents[2] / "examples"
BOUND_S = 60.0
MAX_LINES = 30
CUT_SHORT = b'{"jsonrpc":"2.0","id":1,"result":{"Body":{"$bytes":0}},"bytes":[5]}\nab'

LANGUAGES = {
    "sh": ("client.sh", "a shell"),
    "node": ("client.js", "Node"),
    "perl": ("client.pl", "Perl"),
    "php": ("client.php", "PHP"),
    "ruby": ("client.rb", "Ruby"),
}
PROGRAMS = [
    pytest.param(program, marks=[] if program == "sh" else pytest.mark.long)
    for program in LANGUAGES
]


def command(program: str) -> list[str]:
    """What runs a client. The test is skipped where it cannot be run."""
    if program == "sh":
        tool("socat")
    return [tool(program), str(EXAMPLES / LANGUAGES[program][0])]


def ran(command: list[str], path: str) -> subprocess.CompletedProcess[bytes]:
    """A client that was run against the daemon at `path`."""
    return subprocess.run(
        command,
        env=environ(BOTOD_SOCKET=path),
        capture_output=True,
        timeout=BOUND_S,
        check=False,
    )


@contextlib.contextmanager
def answering(answer: bytes) -> Iterator[str]:
    """The path of a daemon that takes one request, answers it so, and is gone."""
    with short_folder() as folder, socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(folder / "s"))
        listening.listen()
        listening.settimeout(BOUND_S)

        def serve() -> None:
            with listening.accept()[0] as peer:
                came = b""
                while not came.endswith(EVERY_BYTE):
                    came += peer.recv(4096)
                peer.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield str(folder / "s")
        thread.join(BOUND_S)


@pytest.fixture(scope="module")
def demo() -> Iterator[str]:
    """The demo's servers and daemon, with its bucket and queue; the path of the socket."""
    with pytest.MonkeyPatch.context() as patch, short_folder() as folder:
        patch.delenv("BOTOD_SOCKET", raising=False)
        with started(str(folder)) as path, connect(path) as connection:
            connection.client("s3").create_bucket(Bucket=BUCKET)
            connection.client("sqs").create_queue(QueueName=QUEUE)
            yield path


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_client_puts_gets_sends_and_receives(demo: str, program: str) -> None:
    """Every byte comes back, here and in the bucket; the message too; an error has its code."""
    done, language = ran(command(program), demo), LANGUAGES[program][1]
    assert (done.returncode, done.stderr) == (0, b"")
    message, error, body = done.stdout.split(b"\n", 2)
    assert message.decode() == f"hello from {language}"
    assert b"-32000" in error
    assert b"The specified key does not exist." in error
    assert body == EVERY_BYTE
    with connect(demo) as connection:
        sqs, url = connection.client("sqs"), f"http://sqs/123456789012/{QUEUE}"
        stored = connection.client("s3").get_object(Bucket=BUCKET, Key=f"from {language}")
        assert stored["Body"].read() == EVERY_BYTE
        sqs.delete_queue(QueueUrl=url)  # the message too: it is not the next one's
        sqs.create_queue(QueueName=QUEUE)


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_client_says_that_the_daemon_hung_up(program: str) -> None:
    """One that ends before it answers is an error, not an empty answer."""
    client = command(program)
    with answering(b"") as path:
        done = ran(client, path)
    assert done.returncode != 0
    assert b"botod hung up" in done.stderr + done.stdout  # PHP's errors go to standard output


@pytest.mark.parametrize("program", [one for one in PROGRAMS if one.values != ("sh",)])
def test_a_client_takes_no_half_of_a_body(program: str) -> None:
    """Bytes that were declared and did not come whole are an error; the shell's cannot tell."""
    client = command(program)
    with answering(CUT_SHORT) as path:
        done = ran(client, path)
    assert done.returncode != 0
    assert b"botod hung up" in done.stderr + done.stdout


@pytest.mark.parametrize("example", sorted(EXAMPLES.glob("client.*")), ids=lambda path: path.name)
def test_a_client_is_small(example: Path) -> None:
    """Short enough to read before it is pasted."""
    assert len(example.read_text(encoding="utf-8").splitlines()) <= MAX_LINES
