"""What of boto goes round the pool: refused in a greenlet, as ever elsewhere."""

import asyncio
import json
import logging
import subprocess
import sys
import threading
import types
import urllib.request
from collections.abc import Callable, Iterator
from io import BytesIO
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest

from botod.pool import Unsupported, spawn
from botod.pool.detours import METHODS, VIEWS, guard_loaded
from botod.pool.stand_in import non_blocking_http
from support.certificates import new_authority
from support.http_server import Exchange, http_server
from support.loops import BOUND_S, run
from support.pools import KEYS, open_pool
from support.smtp_server import smtp_server

import boto.cloudsearch.document
import boto.cloudsearch.search
import boto.cloudsearch2.document
import boto.cloudsearch2.search
import boto.compat
import boto.glacier.concurrent
import boto.manage.task
import boto.mashups.server
import boto.sdb.connection
import boto.utils
from boto.https_connection import CertValidatingHTTPSConnection
from boto.s3.connection import OrdinaryCallingFormat, S3Connection

Call = Callable[[int], Any]
"""Something of boto's that is done with the server at a port."""

BUCKETS = b"<ListAllMyBucketsResult><Owner/><Buckets/></ListAllMyBucketsResult>"
COMMITTED = {"status": "success", "adds": 1, "deletes": 0}
INFO = {"rid": "r", "cpu-time-ms": 1, "time-ms": 1}
FOUND = {
    "hits": {"found": 7, "start": 0, "hit": []},
    "status": INFO,
    "info": INFO,
    "rank": "",
    "match-expr": "",
}
DUMP = b"<Domain id='d'><Item id='i'><attribute id='a'><value>v</value></attribute></Item></Domain>"


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """The servers here are on loopback, whatever the environment says of proxies."""
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def opener(monkeypatch: pytest.MonkeyPatch) -> None:
    """boto installs an opener for the whole process: not for the other tests."""
    monkeypatch.setattr(urllib.request, "_opener", None)


def answer(exchange: Exchange) -> None:
    """What each of boto's services here expects."""
    if exchange.target.endswith("/documents/batch"):
        exchange.ok(json.dumps(COMMITTED).encode())
    elif "/search" in exchange.target:
        exchange.ok(json.dumps(FOUND).encode())
    elif exchange.target == "/file":
        exchange.ok(b"a file")
    else:
        exchange.ok(BUCKETS, "Connection: close")


def commit(port: int) -> Any:
    """Documents, by the older service."""
    service = boto.cloudsearch.document.DocumentServiceConnection(endpoint=f"127.0.0.1:{port}")
    service.add("1", 1, {"a": "b"})
    return service.commit().adds


def commit2(port: int) -> Any:
    """Documents, by the newer service."""
    service = boto.cloudsearch2.document.DocumentServiceConnection(endpoint=f"127.0.0.1:{port}")
    service.add("1", {"a": "b"})
    return service.commit().adds


def search(port: int) -> Any:
    """A search, by the older service."""
    service = boto.cloudsearch.search.SearchConnection(endpoint=f"127.0.0.1:{port}")
    return service.search(q="a").hits


def search2(port: int) -> Any:
    """A search, by the newer service."""
    service = boto.cloudsearch2.search.SearchConnection(endpoint=f"127.0.0.1:{port}")
    return service.search(q="a").hits


def fetched(port: int) -> Any:
    """A file by HTTP."""
    return boto.utils.fetch_file(f"http://127.0.0.1:{port}/file").read()


def fetched_with_password(port: int) -> Any:
    """A file by HTTP, for which boto installs an opener."""
    url = f"http://127.0.0.1:{port}/file"
    return boto.utils.fetch_file(url, username="me", password="secret").read()


def stock(port: int, **options: Any) -> S3Connection:
    """boto's connection, as boto has it."""
    where = {"host": "127.0.0.1", "port": port, "calling_format": OrdinaryCallingFormat()}
    return S3Connection(*KEYS, **{"is_secure": False, **where, **options})


def buckets(port: int) -> Any:
    """A request on boto's own connection."""
    return stock(port).get_all_buckets()


PARKING: dict[Call, Any] = {
    commit: 1,
    commit2: 1,
    search: 7,
    search2: 7,
    fetched: b"a file",
    fetched_with_password: b"a file",
    buckets: [],
}
"""What goes through the pool inside the stand-in's block, and what comes of it."""

EACH_PARKING = pytest.mark.parametrize("call", PARKING, ids=lambda call: call.__name__)


def other_url(port: int) -> Any:
    """A file by FTP."""
    return boto.utils.fetch_file(f"ftp://127.0.0.1:{port}/file")


def update_dns(port: int) -> Any:
    """A GET to a company's server."""
    return boto.utils.update_dme("me", "secret", "1", "127.0.0.1")


def shell_command(port: int) -> Any:
    """A process that is waited for."""
    return boto.utils.ShellCommand("true")


def task(port: int) -> Any:
    """A process that is waited for, in another module."""
    job = types.SimpleNamespace(name="a", command="true")
    return boto.manage.task.Task._run(job, None, 5)


def tunnel(port: int) -> Any:
    """A socket of boto's own."""
    return stock(443, is_secure=True, proxy="127.0.0.1", proxy_port=port).proxy_ssl("h", 443)


def https_buckets(port: int) -> Any:
    """boto's way to verify a server."""
    return stock(port, is_secure=True, validate_certs=True).get_all_buckets()


def https(port: int) -> Any:
    """The same, by somebody else's hand."""
    return CertValidatingHTTPSConnection("127.0.0.1", port).connect()


def s3_file(port: int) -> Any:
    """A file of S3, for which boto makes a connection of its own."""
    return boto.utils.fetch_file("s3://bucket/key", username=KEYS[0], password=KEYS[1])


def upload(port: int) -> Any:
    """Threads that are waited for."""
    uploader = boto.glacier.concurrent.ConcurrentUploader(FakeVault(), "vault", num_threads=1)
    return uploader.upload(__file__)


def download(port: int) -> Any:
    """The same, the other way."""
    job = types.SimpleNamespace(archive_size=1)
    return boto.glacier.concurrent.ConcurrentDownloader(job, num_threads=1).download("/dev/null")


def join(port: int) -> Any:
    """To wait for a thread of boto's."""
    return item_thread().join()


def from_xml(port: int) -> Any:
    """Threads that nobody waits for."""
    return boto.sdb.domain.Domain(FakeDomains(), "d").from_xml(BytesIO(DUMP))


def ssh(port: int) -> Any:
    """SSH to an instance."""
    return boto.mashups.server.Server.get_ssh_client(types.SimpleNamespace(instance=None))


REFUSED: list[Call] = [
    other_url,
    update_dns,
    shell_command,
    task,
    tunnel,
    https_buckets,
    https,
    s3_file,
    upload,
    download,
    join,
    from_xml,
    ssh,
]
MAY_PARK = {*PARKING, update_dns} - {buckets}
"""What the error tells so; of boto's own connections those of S3, and those without TLS, may."""

EACH_REFUSED = pytest.mark.parametrize("call", [*PARKING, *REFUSED], ids=lambda call: call.__name__)


class FakeVault:
    """What boto.glacier.concurrent asks of its connection."""

    def initiate_multipart_upload(self, *_args: Any) -> Any:
        return {"UploadId": "u"}

    def upload_part(self, *_args: Any) -> Any:
        return BytesIO()

    def complete_multipart_upload(self, *_args: Any) -> Any:
        return {"ArchiveId": "an archive"}


class FakeDomains:
    """What boto.sdb's uploader asks of its connection."""

    def __init__(self) -> None:
        self.put = threading.Event()

    def batch_put_attributes(self, *_args: Any) -> None:
        self.put.set()


def item_thread() -> Any:
    """A thread of boto.sdb's, without the connection that its constructor makes."""
    thread = boto.sdb.connection.ItemThread.__new__(boto.sdb.connection.ItemThread)
    threading.Thread.__init__(thread)
    thread.item_names = []
    thread.start()
    return thread


def refused_in_a_greenlet(call: Callable[..., Any], *args: Any) -> str:
    """What the error says."""
    said: list[str] = []

    async def scenario() -> None:
        with pytest.raises(Unsupported) as caught:
            await spawn(call, *args)
        said.append(str(caught.value))

    run(scenario)
    return said[0]


@EACH_REFUSED
def test_in_a_greenlet_it_is_refused(call: Call, opener: None) -> None:
    """Before a byte is sent or a connection made; the error says what to do instead."""
    with http_server(answer) as server:
        said = refused_in_a_greenlet(call, server.port)
        assert "thread" in said or "pooled" in said
        assert ("non_blocking_http" in said) == (call in MAY_PARK)
        assert server.connections_total == 0
    assert vars(urllib.request)["_opener"] is None


@EACH_PARKING
def test_outside_it_is_as_ever(call: Call, opener: None) -> None:
    """In a program without a loop, and in a thread of one that has one."""

    async def in_a_thread(port: int) -> None:
        assert await asyncio.to_thread(call, port) == PARKING[call]

    with http_server(answer) as server:
        assert call(server.port) == PARKING[call]
        run(lambda: in_a_thread(server.port))


@EACH_PARKING
def test_inside_the_stand_in_it_goes_through_the_pool(call: Call, opener: None) -> None:
    """`non_blocking_http` carries it, so it is not refused there."""

    async def scenario() -> None:
        with http_server(answer) as server:
            async with open_pool() as pool:
                with non_blocking_http(pool):
                    assert await spawn(call, server.port) == PARKING[call]
                assert sum(host.slots.leases_total for host in pool.stats()) == 1

    run(scenario)


@pytest.mark.parametrize(
    "call",
    [call for call in REFUSED if call not in {update_dns, s3_file}],
    ids=lambda call: call.__name__,
)
def test_what_the_stand_in_does_not_carry_is_refused_there_as_well(call: Call) -> None:
    """Other schemes than http, sockets of boto's own, threads, processes."""

    async def scenario() -> None:
        with http_server(answer) as server:
            async with open_pool() as pool:
                with non_blocking_http(pool), pytest.raises(Unsupported):
                    await spawn(call, server.port)
            assert server.connections_total == 0

    run(scenario)


def test_a_session_that_was_made_outside_is_refused_inside() -> None:
    """boto makes one with the connection, which is used later."""
    with http_server(answer) as server:
        service = boto.cloudsearch2.search.SearchConnection(endpoint=f"127.0.0.1:{server.port}")
        assert service.search(q="a").hits == 7
        refused_in_a_greenlet(lambda: service.search(q="a"))
        assert len(server.requests) == 1


def test_a_connection_that_boto_kept_is_refused_inside() -> None:
    """It is open already: to connect is not all that blocks."""
    with http_server(lambda exchange: exchange.ok(BUCKETS)) as server:
        connection = stock(server.port)
        connection.get_all_buckets()
        assert "pooled" in refused_in_a_greenlet(connection.get_all_buckets)
        assert len(server.requests) == 1


def test_a_factory_s_connection_is_not_refused() -> None:
    """How boto's users put in their own, which may park for all we know."""

    class Fake:
        def __init__(self, *_args: Any, **_kwargs: Any) -> None:
            pass

    async def scenario() -> None:
        connection = stock(1, https_connection_factory=(Fake, ()))
        made = await spawn(connection.get_http_connection, "127.0.0.1", 1, False)
        assert isinstance(made, Fake)

    run(scenario)


@pytest.mark.filterwarnings("ignore:ssl:DeprecationWarning")
def test_outside_boto_verifies_servers_as_ever(tmp_path: Path) -> None:
    """Its own HTTPS connection still connects."""
    authority = new_authority(tmp_path)
    with http_server(answer, tls=authority.server_context("localhost")) as server:
        connection = CertValidatingHTTPSConnection(
            "localhost", server.port, ca_certs=authority.ca_file
        )
        connection.connect()
        connection.close()
        assert server.connections_total == 1


def test_outside_other_urls_are_as_ever(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whatever urllib opens, and whoever has replaced it for a test."""
    Path(tmp_path, "file").write_bytes(b"a file")
    assert boto.utils.fetch_file(Path(tmp_path, "file").as_uri()).read() == b"a file"
    monkeypatch.setattr(boto.compat.urllib.request, "urlopen", lambda _url: BytesIO(b"success"))
    assert update_dns(0) == b"success"


def test_outside_a_command_is_run(tmp_path: Path) -> None:
    """One that is not waited for: of the other kind boto cannot read the output on Python 3."""
    command = boto.utils.ShellCommand("touch done", wait=False, cwd=tmp_path)
    command.process.communicate(timeout=BOUND_S)
    assert Path(tmp_path, "done").exists()


def test_outside_threads_are_started_and_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """boto.glacier.concurrent and boto.sdb, in a program with or without a loop."""
    no_time = types.SimpleNamespace(sleep=lambda _seconds: None)
    monkeypatch.setattr(boto.glacier.concurrent, "time", no_time)
    assert upload(0) == "an archive"
    join(0)
    domains = FakeDomains()
    boto.sdb.domain.Domain(domains, "d").from_xml(BytesIO(DUMP))
    assert domains.put.wait(BOUND_S)


def test_a_notification_is_not_sent_and_the_log_says_why(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """boto catches whatever goes wrong with a mail, and logs it: this as well."""

    async def scenario() -> None:
        async with smtp_server() as smtp:
            settings = {"smtp_host": "127.0.0.1", "smtp_port": str(smtp.port)}
            monkeypatch.setattr(
                boto.config, "get_value", lambda _s, name, d=None: settings.get(name, d)
            )
            await spawn(boto.utils.notify, "subject", "body", to_string="somebody@a.test")

    caplog.set_level(logging.ERROR, logger="boto")
    run(scenario)
    (record,) = caplog.records
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], Unsupported)
    caplog.clear()


def test_a_log_s_mail_is_not_sent_and_the_handler_says_why(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who logs never sees what goes wrong with that: logging has a place of its own for it."""
    errors: list[Any] = []
    handler = boto.utils.AuthSMTPHandler(("127.0.0.1", 1), "me", "secret", "a@a", ["b@b"], "s")
    monkeypatch.setattr(handler, "handleError", lambda _record: errors.append(sys.exc_info()[1]))
    record = logging.makeLogRecord({"msg": "a line"})

    async def scenario() -> None:
        await spawn(handler.emit, record)
        assert [type(error) for error in errors] == [Unsupported]
        await asyncio.to_thread(handler.emit, record)
        assert isinstance(errors[1], ConnectionRefusedError)

    run(scenario)


@pytest.fixture
def ssh_client(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """boto's SSH client, whose library is not here."""
    monkeypatch.setitem(sys.modules, "paramiko", types.ModuleType("paramiko"))
    import boto.manage.cmdshell  # noqa: PLC0415 - the library has to be there before

    yield boto.manage.cmdshell.SSHClient
    del sys.modules["boto.manage.cmdshell"], boto.manage.cmdshell


def test_ssh_is_refused(ssh_client: Any) -> None:
    """To connect, and whatever waits for the instance; outside, boto's method runs."""
    client = ssh_client.__new__(ssh_client)
    client._ssh_client = types.SimpleNamespace(open_sftp=lambda: "an sftp client")
    for path in METHODS["boto.manage.cmdshell"]:
        assert "SSH" in refused_in_a_greenlet(getattr(client, path.partition(".")[2]))
    assert client.open_sftp() == "an sftp client"


def test_metadata_is_still_asked_for_in_a_thread() -> None:
    """It goes by urllib as well, but not on the loop's thread."""

    async def scenario() -> None:
        with http_server(answer) as server:
            url = f"http://127.0.0.1:{server.port}/file"
            assert await spawn(boto.utils.retry_url, url) == "a file"

    run(scenario)


IMPORTABLE = sorted((METHODS.keys() | VIEWS.keys()) - {"boto.manage.cmdshell"})

CHECK = """
import importlib, sys, warnings
from operator import attrgetter
warnings.simplefilter("ignore")
for name in {order!r}:
    importlib.import_module(name)
from botod.pool.detours import METHODS, VIEWS
for name in {modules!r}:
    for path in METHODS.get(name, ()):
        assert attrgetter(path)(sys.modules[name]).__wrapped__, path
    for view in VIEWS.get(name, ()):
        assert type(vars(sys.modules[name])[view]).__name__ == "_View", (name, view)
assert not hasattr(sys.modules["requests"].get, "__wrapped__")
assert type(sys.modules["urllib.request"]).__name__ == "module"
"""


@pytest.mark.parametrize("is_first", [True, False])
def test_either_order_of_imports(is_first: bool) -> None:
    """boto's modules are seen to whether they are imported before the pool or after it."""
    if not is_first and sys.version_info >= (3, 12):
        pytest.skip("boto does not import before the pool there")
    order = ["botod.pool", *IMPORTABLE] if is_first else [*IMPORTABLE, "botod.pool"]
    code = CHECK.format(order=order, modules=IMPORTABLE)
    subprocess.run([sys.executable, "-c", code], check=True, timeout=BOUND_S)


def test_once_is_enough() -> None:
    """To see to the modules again changes nothing."""
    methods = [(sys.modules[name], path) for name in IMPORTABLE for path in METHODS.get(name, ())]
    before = [attrgetter(path)(module) for module, path in methods]
    views = [vars(sys.modules[name])[view] for name in VIEWS for view in VIEWS[name]]
    guard_loaded()
    assert [attrgetter(path)(module) for module, path in methods] == before
    assert [vars(sys.modules[name])[view] for name in VIEWS for view in VIEWS[name]] == views
