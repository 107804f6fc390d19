"""SimpleDB's query API over real connections: forms, signatures, answers, errors, keep-alive."""

import base64
import contextlib
import hashlib
import hmac
import http.client
import signal
import socket
import subprocess
import sys
import threading
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlencode

import pytest

from botod.daemon.demo.simpledb import MAX_BODY_BYTES, SimpleDBServer, serving

from boto.exception import SDBResponseError
from boto.regioninfo import RegionInfo
from boto.sdb.connection import SDBConnection

ACCESS_KEY = "an-access-key"
SECRET_KEY = "a-secret-key"
NOW = datetime(2024, 2, 29, 12, 0, tzinfo=UTC)
TIMEOUT_S = 30.0
NAMESPACE = "{http://sdb.amazonaws.com/doc/2009-04-15/}"
FORM_TYPE = "application/x-www-form-urlencoded"
FORM = {"Content-Type": f"{FORM_TYPE}; charset=UTF-8"}


@pytest.fixture
def server() -> Iterator[SimpleDBServer]:
    """A server whose clock stands at NOW."""
    with serving(ACCESS_KEY, SECRET_KEY, clock=NOW.timestamp) as server:
        yield server


@dataclass(frozen=True)
class Reply:
    """What came back."""

    status: int
    root: ET.Element
    headers: Mapping[str, str]

    @property
    def code(self) -> str:
        """The error's code; empty if it is none."""
        return self.root.findtext("Errors/Error/Code") or ""

    def texts(self, *names: str) -> list[str]:
        """What the elements of these names say, in the document's order."""
        wanted = {NAMESPACE + name for name in names}
        return [element.text or "" for element in self.root.iter() if element.tag in wanted]


def signed(
    server: SimpleDBServer,
    method: str,
    fields: Mapping[str, str],
    *,
    secret: str = SECRET_KEY,
    host: str | None = None,
) -> str:
    """A query string with a signature, made here from its description and not by the server."""
    fields = {
        "Version": "2009-04-15",
        "AWSAccessKeyId": ACCESS_KEY,
        "SignatureVersion": "2",
        "SignatureMethod": "HmacSHA256",
        "Timestamp": NOW.strftime("%Y-%m-%dT%H:%M:%SZ"),
    } | fields
    host = host or f"127.0.0.1:{server.server_port}"
    query = "&".join(
        f"{quote(k, safe='-_.~')}={quote(fields[k], safe='-_.~')}" for k in sorted(fields)
    )
    digest = {"HmacSHA1": hashlib.sha1}.get(fields["SignatureMethod"], hashlib.sha256)
    text = f"{method}\n{host}\n/\n{query}".encode()
    code = base64.b64encode(hmac.new(secret.encode(), text, digest).digest()).decode()
    return query + "&" + urlencode({"Signature": code})


def sent(
    server: SimpleDBServer,
    query: str,
    method: str = "POST",
    headers: Mapping[str, str] = FORM,
) -> Reply:
    """Send a query string, as a form or in the URL, on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=TIMEOUT_S)
    with contextlib.closing(connection):
        return exchanged(connection, query, method, headers)


def exchanged(
    connection: http.client.HTTPConnection,
    query: str,
    method: str = "POST",
    headers: Mapping[str, str] = FORM,
) -> Reply:
    """The same on a connection that is there."""
    if method == "POST":
        connection.request("POST", "/", query, dict(headers))
    else:
        connection.request(method, f"/?{query}")
    response = connection.getresponse()
    return Reply(response.status, ET.fromstring(response.read()), dict(response.headers))


def asked(server: SimpleDBServer, action: str, **fields: str) -> Reply:
    """Do an action by POST; `__` in a name stands for a dot."""
    form = {"Action": action} | {name.replace("__", "."): text for name, text in fields.items()}
    return sent(server, signed(server, "POST", form))


@contextlib.contextmanager
def boto_to(server: SimpleDBServer, secret_key: str = SECRET_KEY) -> Iterator[SDBConnection]:
    """Stock boto, with the server as its endpoint; boto never closes its connections itself."""
    region = RegionInfo(name="here", endpoint="127.0.0.1")
    port = server.server_port
    boto = SDBConnection(ACCESS_KEY, secret_key, is_secure=False, port=port, region=region)
    try:
        yield boto
    finally:
        for pool in boto._pool.host_to_pool.values():
            for connection, _since in pool.queue:
                connection.close()


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("algorithm", ["HmacSHA256", "HmacSHA1"])
def test_signed_calls_are_answered(server: SimpleDBServer, method: str, algorithm: str) -> None:
    """Both methods and both algorithms do, with values of any characters and the port in Host."""
    fields = {"Action": "CreateDomain", "DomainName": "dom", "Extra": "ü /~*+&=%\n", "é": ""}
    fields["SignatureMethod"] = algorithm
    reply = sent(server, signed(server, method, fields), method)
    assert (reply.status, reply.root.tag) == (200, f"{NAMESPACE}CreateDomainResponse")
    assert reply.texts("BoxUsage")
    assert len(reply.texts("RequestId")[0]) == 36


def test_the_host_is_signed_as_it_is_sent(server: SimpleDBServer) -> None:
    """Another Host header than the one that was signed does not match; its case is no matter."""
    query = signed(server, "POST", {"Action": "ListDomains"}, host="somewhere.example")
    assert sent(server, query).code == "SignatureDoesNotMatch"
    assert sent(server, query, headers=FORM | {"Host": "Somewhere.Example"}).status == 200


@pytest.mark.parametrize(
    ("fields", "secret", "status", "code"),
    [
        ({}, "another-secret", 403, "SignatureDoesNotMatch"),
        ({"AWSAccessKeyId": "another"}, SECRET_KEY, 403, "InvalidClientTokenId"),
        ({"SignatureVersion": "1"}, SECRET_KEY, 403, "AuthFailure"),
        ({"SignatureMethod": "HmacMD5"}, SECRET_KEY, 403, "AuthFailure"),
        ({"Action": "Explode"}, SECRET_KEY, 400, "InvalidAction"),
        ({"Version": "2007-11-07"}, SECRET_KEY, 400, "NoSuchVersion"),
        ({"Action": "CreateDomain"}, SECRET_KEY, 400, "MissingParameter"),
        ({"MaxNumberOfDomains": "x"}, SECRET_KEY, 400, "InvalidParameterValue"),
        ({"MaxNumberOfDomains": "101"}, SECRET_KEY, 400, "InvalidParameterValue"),
        ({"NextToken": "x"}, SECRET_KEY, 400, "InvalidNextToken"),
        ({"Timestamp": "yesterday"}, SECRET_KEY, 400, "InvalidParameterValue"),
    ],
)
def test_wrong_calls_are_refused(
    server: SimpleDBServer, fields: dict[str, str], secret: str, status: int, code: str
) -> None:
    """Each fault has its code and status, and the answer is an error document with a request id."""
    query = signed(server, "POST", {"Action": "ListDomains"} | fields, secret=secret)
    reply = sent(server, query)
    assert (reply.status, reply.code) == (status, code)
    assert reply.root.tag == "Response"
    assert reply.root.findtext("Errors/Error/Message")
    assert reply.root.findtext("Errors/Error/BoxUsage")
    assert reply.root.findtext("RequestID")


@pytest.mark.parametrize(
    ("missing", "code"),
    [
        ("Action", "MissingAction"),
        ("AWSAccessKeyId", "AuthMissingFailure"),
        ("Signature", "MissingParameter"),
        ("SignatureMethod", "MissingParameter"),
        ("SignatureVersion", "MissingParameter"),
        ("Timestamp", "MissingParameter"),
        ("Version", "MissingParameter"),
    ],
)
def test_what_every_call_needs_is_missed(server: SimpleDBServer, missing: str, code: str) -> None:
    """A call without one of the common parameters is refused, signed without it or not."""
    common = {
        "Action": "ListDomains",
        "AWSAccessKeyId": ACCESS_KEY,
        "SignatureMethod": "HmacSHA256",
        "SignatureVersion": "2",
        "Timestamp": "2024-02-29T12:00:00Z",
        "Version": "2009-04-15",
    }
    common.pop(missing, None)
    query = urlencode(sorted(common.items()))
    text = f"POST\n127.0.0.1:{server.server_port}\n/\n{query}".encode()
    made = base64.b64encode(hmac.digest(SECRET_KEY.encode(), text, "sha256")).decode()
    if missing != "Signature":
        query += "&" + urlencode({"Signature": made})
    assert sent(server, query).code == code


@pytest.mark.parametrize(
    ("fields", "good"),
    [
        ({"Timestamp": (NOW - timedelta(minutes=15)).isoformat()}, True),
        ({"Timestamp": (NOW - timedelta(minutes=15, seconds=1)).isoformat()}, False),
        ({"Timestamp": (NOW + timedelta(minutes=15)).isoformat()}, True),
        ({"Timestamp": (NOW + timedelta(minutes=15, seconds=1)).isoformat()}, False),
        ({"Timestamp": "2024-02-29T13:00:00.000+01:00"}, True),
        ({"Timestamp": "2024-02-29T12:00:00"}, True),
        ({"Timestamp": "2024-02-29T13:00:00"}, False),
        ({"Expires": "2024-02-29T12:00:00Z"}, True),
        ({"Expires": "2024-02-29T11:59:59Z"}, False),
    ],
)
def test_a_call_is_good_for_15_minutes(
    server: SimpleDBServer, fields: dict[str, str], good: bool
) -> None:
    """The time may be off by 15 minutes either way; Expires says by itself when it is over."""
    reply = sent(server, signed(server, "POST", {"Action": "ListDomains"} | fields))
    assert (reply.status, reply.code) == ((200, "") if good else (400, "RequestExpired"))


def test_every_action_does_what_it_says(server: SimpleDBServer) -> None:
    """The ten actions over the wire: their parameters, and their results as elements."""
    assert asked(server, "CreateDomain", DomainName="dom").status == 200
    asked(server, "CreateDomain", DomainName="other")
    listed = asked(server, "ListDomains", MaxNumberOfDomains="1")
    assert listed.texts("DomainName") == ["dom"]
    rest = asked(server, "ListDomains", NextToken=listed.texts("NextToken")[0])
    assert rest.texts("DomainName", "NextToken") == ["other"]
    assert asked(server, "DeleteDomain", DomainName="other").status == 200

    item = {"DomainName": "dom", "ItemName": "i1"}
    put = {"Attribute__1__Name": "a", "Attribute__1__Value": "1"}
    more = {"Attribute__4__Name": "a", "Attribute__4__Value": "2", "Attribute__4__Replace": "false"}
    assert asked(server, "PutAttributes", **item, **put, **more).status == 200
    batch = {"Item__0__ItemName": "i2", "Item__0__Attribute__0__Name": "a"}
    batch["Item__0__Attribute__0__Value"] = "3"
    assert asked(server, "BatchPutAttributes", DomainName="dom", **batch).status == 200

    got = asked(server, "GetAttributes", **item, AttributeName__1="a", ConsistentRead="true")
    assert got.texts("Name", "Value") == ["a", "1", "a", "2"]
    selected = asked(server, "Select", SelectExpression="select * from dom limit 1")
    assert selected.texts("Name", "Value") == ["i1", "a", "1", "a", "2"]
    token = selected.texts("NextToken")[0]
    last = asked(server, "Select", SelectExpression="select * from dom limit 1", NextToken=token)
    assert last.texts("Name", "Value", "NextToken") == ["i2", "a", "3"]
    metadata = asked(server, "DomainMetadata", DomainName="dom")
    counts = ("ItemCount", "ItemNamesSizeBytes", "AttributeNameCount", "AttributeNamesSizeBytes")
    assert metadata.texts(*counts) == ["2", "4", "1", "1"]
    sizes = ("AttributeValueCount", "AttributeValuesSizeBytes")
    assert metadata.texts(*sizes) == ["3", "3"]
    assert metadata.texts("Timestamp")[0].isdigit()

    assert asked(server, "DeleteAttributes", **item, **put).status == 200
    assert asked(server, "GetAttributes", **item).texts("Value") == ["2"]
    both = {"Item__1__ItemName": "i1", "Item__2__ItemName": "i2"}
    assert asked(server, "BatchDeleteAttributes", DomainName="dom", **both).status == 200
    count = asked(server, "Select", SelectExpression="select count(*) from dom")
    assert count.texts("Name", "Value") == ["Domain", "Count", "0"]


def test_conditions_come_over_the_wire(server: SimpleDBServer) -> None:
    """Expected takes a name with a value or with Exists, once."""
    asked(server, "CreateDomain", DomainName="dom")
    put = {"DomainName": "dom", "ItemName": "i", "Attribute__1__Name": "a"}
    put["Attribute__1__Value"] = "1"
    absent = {"Expected__1__Name": "a", "Expected__1__Exists": "false"}
    assert asked(server, "PutAttributes", **put, **absent).status == 200
    assert asked(server, "PutAttributes", **put, **absent).status == 409
    other = {"Expected__1__Name": "none", "Expected__1__Value": "1"}
    assert asked(server, "DeleteAttributes", **put, **other).status == 404
    twice = absent | {"Expected__2__Name": "b", "Expected__2__Exists": "false"}
    assert asked(server, "PutAttributes", **put, **twice).code == "MultipleExpectedNames"
    maybe = absent | {"Expected__1__Exists": "maybe"}
    assert asked(server, "PutAttributes", **put, **maybe).code == "InvalidParameterValue"


def test_what_xml_cannot_carry_is_sent_as_base64(server: SimpleDBServer) -> None:
    """Names and values with such characters are marked; others are text, with their spaces."""
    asked(server, "CreateDomain", DomainName="dom")
    values = {
        "bell": "\a",
        "cr": "a\r\nb",
        "nul": "\0",
        "last": "\uffff",
        "plain": " <é&\n\t😀]]> ",
    }
    for name, value in values.items():
        attribute = {"Attribute__1__Name": f"{name}-{value}", "Attribute__1__Value": value}
        asked(server, "PutAttributes", DomainName="dom", ItemName=name, **attribute)
        reply = asked(server, "GetAttributes", DomainName="dom", ItemName=name)
        for element in reply.root.iter():
            if element.tag in {f"{NAMESPACE}Name", f"{NAMESPACE}Value"}:
                wanted = value if element.tag.endswith("Value") else f"{name}-{value}"
                text = element.text or ""
                encoded = element.get("encoding") == "base64"
                assert (base64.b64decode(text).decode() if encoded else text) == wanted
                assert encoded == (name != "plain")


def test_a_connection_is_kept_for_the_next_call(server: SimpleDBServer) -> None:
    """Calls follow each other on one connection, after an error too."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=TIMEOUT_S)
    with contextlib.closing(connection):
        for fields in ({"Action": "ListDomains"}, {"Action": "Explode"}, {"Action": "ListDomains"}):
            for method in ("GET", "POST"):
                exchanged(connection, signed(server, method, fields), method)
    assert (server.connections_total, server.requests_total) == (1, 6)


def test_an_answer_leaves_in_one_piece(server: SimpleDBServer) -> None:
    """Head and body are one write, so that no delayed acknowledgement comes between."""
    with socket.create_connection(("127.0.0.1", server.server_port), TIMEOUT_S) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
        answer = sock.recv(65536)
    assert answer.startswith(b"HTTP/1.1 403 ")
    assert answer.endswith(b"</Response>")


def test_a_body_may_wait_to_be_asked_for(server: SimpleDBServer) -> None:
    """A peer that expects 100-continue gets it before it has sent its body."""
    query = signed(server, "POST", {"Action": "ListDomains"}).encode()
    head = (
        f"POST / HTTP/1.1\r\nHost: 127.0.0.1:{server.server_port}\r\nExpect: 100-continue\r\n"
        f"Content-Type: {FORM['Content-Type']}\r\nContent-Length: {len(query)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", server.server_port), TIMEOUT_S) as sock:
        sock.sendall(head.encode())
        assert sock.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(query)
        assert sock.recv(65536).startswith(b"HTTP/1.1 200 ")


def test_a_body_has_at_most_a_mebibyte(server: SimpleDBServer) -> None:
    """A larger one is refused with its size, and the sender gets to read that."""
    query = signed(server, "POST", {"Action": "ListDomains"})
    fits = query + "&" * (MAX_BODY_BYTES - len(query))
    assert sent(server, fits).status == 200
    for extra in (1, 8 * MAX_BODY_BYTES):  # the latter is more than the socket's buffers hold
        reply = sent(server, fits + "&" * extra)
        said = reply.root.findtext("Errors/Error/Message") or ""
        assert (reply.status, reply.code) == (400, "InvalidHttpRequest")
        assert f"{MAX_BODY_BYTES + extra} bytes" in said
        assert reply.headers["Connection"] == "close"


@pytest.mark.parametrize(
    "request_head",
    [
        "POST / HTTP/1.1\r\nHost: h\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1e3\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nContent-Type: text/json\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n",
        f"POST / HTTP/1.1\r\nContent-Length: 2\r\nContent-Type: {FORM_TYPE}\r\n\r\n\xff\xfe",
        "PUT / HTTP/1.1\r\nHost: h\r\n\r\n",
        "nonsense\r\n\r\n",
    ],
)
def test_what_is_no_such_request_is_answered_all_the_same(
    server: SimpleDBServer, request_head: str
) -> None:
    """Broken HTTP, another method or a body of unknown length gets an InvalidHttpRequest."""
    with socket.create_connection(("127.0.0.1", server.server_port), TIMEOUT_S) as sock:
        sock.sendall(request_head.encode("latin-1"))
        answer = sock.recv(65536)
    assert b"<Code>InvalidHttpRequest</Code>" in answer


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("Action=%ff", "InvalidParameterValue"),
        ("Action=a&Action=b", "InvalidParameterCombination"),
        ("", "AuthMissingFailure"),
        ("&&==&%&", "AuthMissingFailure"),
    ],
)
def test_broken_forms_are_refused(server: SimpleDBServer, query: str, code: str) -> None:
    """What is not UTF-8, and a parameter that comes twice, have their own errors."""
    assert sent(server, query).code == code


def test_boto_works_with_it() -> None:
    """Stock boto creates a domain, puts, gets and selects, with its own signatures."""
    with serving(ACCESS_KEY, SECRET_KEY) as server, boto_to(server) as boto:
        domain = boto.create_domain("dom")
        domain.put_attributes("item", {"a": ["1", "2"], "é": "ü+ &"})
        assert domain.get_attributes("item") == {"a": ["1", "2"], "é": "ü+ &"}
        found = list(domain.select("select * from `dom` where a = '2' and `é` like 'ü%'"))
        assert [item.name for item in found] == ["item"]


def test_boto_understands_its_errors(caplog: pytest.LogCaptureFixture) -> None:
    """Stock boto raises its own error with the status and the code, and logs it."""
    with serving(ACCESS_KEY, SECRET_KEY) as server, boto_to(server) as boto:
        domain = boto.create_domain("dom")
        domain.put_attributes("item", {"a": "1"})
        with pytest.raises(SDBResponseError) as caught:
            domain.put_attributes("item", {"b": "1"}, expected_value=["a", "other"])
        assert (caught.value.status, caught.value.error_code) == (409, "ConditionalCheckFailed")
        with boto_to(server, "wrong") as stranger, pytest.raises(SDBResponseError) as caught:
            stranger.get_all_domains()
        assert (caught.value.status, caught.value.error_code) == (403, "SignatureDoesNotMatch")
    caplog.clear()


@pytest.fixture
def hasty_threads() -> Iterator[None]:
    """Threads take turns after microseconds, so that what is not guarded shows."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def test_many_callers_at_once_lose_nothing(server: SimpleDBServer, hasty_threads: None) -> None:
    """Puts to one item from many connections are all there afterwards."""
    asked(server, "CreateDomain", DomainName="dom")

    def put(number: int) -> None:
        for index in range(5):
            attribute = {"Attribute__1__Name": "a", "Attribute__1__Value": f"{number}-{index}"}
            asked(server, "PutAttributes", DomainName="dom", ItemName="i", **attribute)

    threads = [threading.Thread(target=put, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(TIMEOUT_S)
    got = asked(server, "GetAttributes", DomainName="dom", ItemName="i")
    assert len(got.texts("Value")) == 100


def test_the_end_of_serving_ends_open_connections() -> None:
    """A connection that is kept open is closed when the server stops."""
    with serving(ACCESS_KEY, SECRET_KEY) as server:
        sock = socket.create_connection(("127.0.0.1", server.server_port), TIMEOUT_S)
        sock.sendall(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
        assert sock.recv(65536)
    with sock:
        assert sock.recv(1) == b""


def test_the_program_says_where_it_listens_and_ends_on_sigterm() -> None:
    """The first line is the URL, it answers there, and SIGTERM ends it with 0."""
    keys = ["--access-key", ACCESS_KEY, "--secret-key", SECRET_KEY]
    command = [sys.executable, "-m", "botod.daemon.demo.simpledb", "--port", "0", *keys]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("listening on http://127.0.0.1:")
        address = line.strip().removeprefix("listening on http://")
        with contextlib.closing(
            http.client.HTTPConnection(address, timeout=TIMEOUT_S)
        ) as connection:
            assert exchanged(connection, "", "GET").code == "AuthMissingFailure"
            process.send_signal(signal.SIGTERM)
            assert process.wait(TIMEOUT_S) == 0
