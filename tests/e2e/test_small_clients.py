"""The clients in other languages, each run as its head says against what `botod demo` starts."""

import subprocess
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
MAX_LINES = 36


@pytest.fixture(scope="module")
def demo() -> Iterator[str]:
    """The demo's servers and daemon, with its bucket and queue; the path of the socket."""
    with pytest.MonkeyPatch.context() as patch, short_folder() as folder:
        patch.delenv("BOTOD_SOCKET", raising=False)
        with started(str(folder)) as path, connect(path) as connection:
            connection.client("s3").create_bucket(Bucket=BUCKET)
            connection.client("sqs").create_queue(QueueName=QUEUE)
            yield path


@pytest.mark.parametrize(
    ("program", "example", "language"),
    [
        ("sh", "client.sh", "a shell"),
        pytest.param("node", "client.js", "Node", marks=pytest.mark.long),
        pytest.param("perl", "client.pl", "Perl", marks=pytest.mark.long),
        pytest.param("php", "client.php", "PHP", marks=pytest.mark.long),
        pytest.param("ruby", "client.rb", "Ruby", marks=pytest.mark.long),
    ],
)
def test_a_client_puts_gets_sends_and_receives(
    demo: str, program: str, example: str, language: str
) -> None:
    """Every byte comes back, here and in the bucket; the message too; an error has its code."""
    if program == "sh":
        tool("socat")
    done = subprocess.run(
        [tool(program), str(EXAMPLES / example)],
        env=environ(BOTOD_SOCKET=demo),
        capture_output=True,
        timeout=BOUND_S,
        check=False,
    )
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


@pytest.mark.parametrize("example", sorted(EXAMPLES.glob("client.*")), ids=lambda path: path.name)
def test_a_client_is_small(example: Path) -> None:
    """Short enough to read before it is pasted."""
    assert len(example.read_text(encoding="utf-8").splitlines()) <= MAX_LINES
