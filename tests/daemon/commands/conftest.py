"""One daemon for all tests of a module: they only ask it."""

from collections.abc import Iterator

import pytest

from support.buckets import Served, running_buckets
from support.daemons import Daemon, endpoints, running_daemon
from support.environ import set_environ
from support.http_server import Exchange, HttpServer, http_server
from support.services import form_of, query_xml, reply, s3_error

BODY = bytes(range(256)) + b"\r\n\n"


def play_aws(exchange: Exchange) -> None:
    """S3 with one object, and an SQS that has a message for everybody."""
    if exchange.target == "/photos/cat.jpg" and exchange.method == "GET":
        reply(BODY, 'ETag: "1b2cf5"', "Content-Type: image/jpeg")(exchange)
    elif exchange.method == "PUT":
        reply(b"", 'ETag: "1b2cf5"')(exchange)
    elif exchange.method == "POST" and "Action" in (form := form_of(exchange)):
        query_xml(form["Action"], MESSAGE if form["Action"] == "ReceiveMessage" else "")(exchange)
    else:
        s3_error("NoSuchKey", "The key\ndoes not exist", "404 Not Found")(exchange)


MESSAGE = (
    "<Message><MessageId>1</MessageId><Body>Käse 日本</Body><MessageAttribute><Name>raw</Name>"
    "<Value><BinaryValue>AP8=</BinaryValue><DataType>Binary</DataType></Value></MessageAttribute>"
    "</Message>"
)


@pytest.fixture(scope="module")
def aws() -> Iterator[HttpServer]:
    """What the daemon takes for AWS."""
    with http_server(play_aws) as server:
        yield server


@pytest.fixture(scope="module")
def shared_daemon(aws: HttpServer) -> Iterator[Daemon]:
    """A daemon that nobody stops."""
    with running_daemon(endpoints(aws.port)) as running:
        yield running


@pytest.fixture
def daemon(
    shared_daemon: Daemon, aws: HttpServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Daemon]:
    """The daemon, found by $BOTOD_SOCKET; what AWS was asked is forgotten before."""
    set_environ(monkeypatch, "BOTOD_SOCKET", shared_daemon.socket_path)
    aws.requests.clear()
    return shared_daemon


@pytest.fixture(scope="module")
def shared_served() -> Iterator[Served]:
    """One for all tests of a module."""
    with (
        running_buckets() as (buckets, server),
        running_daemon(endpoints(server.port)) as running,
    ):
        yield Served(buckets, server, running)


@pytest.fixture
def served(shared_served: Served, monkeypatch: pytest.MonkeyPatch) -> Served:
    """It, found by $BOTOD_SOCKET; the bucket is empty."""
    set_environ(monkeypatch, "BOTOD_SOCKET", shared_served.daemon.socket_path)
    shared_served.buckets.forget()
    shared_served.server.requests.clear()
    return shared_served
