"""A role a rule: AWS's audit trail tells callers apart, by what moto's STS is asked."""

import contextlib
import urllib.request
from collections.abc import Iterator
from urllib.parse import parse_qs

from botod.ipc.errors import Code
from support.askers import ask, needs_root
from support.daemons import KEYS, Daemon, running_daemon
from support.http_server import Exchange, HttpServer, http_server
from support.servers import Servers
from support.services import reply

WEB, SHOP, STRANGER = 70033, 70044, 70055
ROLE = "arn:aws:iam::123456789012:role/logs-of-all"
GET = ("s3.get_object", {"Bucket": "logs", "Key": "k"})
COPY = (
    "s3.copy_object",
    {"Bucket": "own", "Key": "k", "CopySource": {"Bucket": "logs", "Key": "k"}},
)
RULES = [
    {
        "uid": WEB,
        "allow": ["s3.* on logs/*"],
        "role_arn": ROLE,
        "role_session_name": "{uid}-{rule}",
        "role_source_identity": "user-{uid}",
        "role_tags": {"caller": "{user}", "of": "{profile}"},
        "role_external_id": "agreed",
        "role_duration_s": 900,
    },
    {"uid": WEB, "allow": ["s3.* on own/*"]},
    {"uid": SHOP, "allow": ["s3.* on logs/*"]},
]


@contextlib.contextmanager
def recorded(url: str) -> Iterator[HttpServer]:
    """A server that hands on what it is asked, and keeps it."""

    def answer(exchange: Exchange) -> None:
        headers = {
            name: value for name, value in exchange.headers.items() if name != "content-length"
        }
        request = urllib.request.Request(
            url + exchange.target, exchange.body, headers, method=exchange.method
        )
        with urllib.request.urlopen(request, timeout=30) as answered:
            exchange.ok(answered.read(), "Content-Type: text/xml")

    with http_server(answer) as server:
        yield server


def sts_error(exchange: Exchange) -> None:
    """An STS that takes nobody."""
    body = (
        b"<ErrorResponse><Error><Code>AccessDenied</Code><Message>not you</Message></Error>"
        b"</ErrorResponse>"
    )
    exchange.ok(body, "Content-Type: text/xml", status="403 Forbidden")


@contextlib.contextmanager
def daemon_at(aws: HttpServer, sts: HttpServer, *expected: str) -> Iterator[Daemon]:
    """A daemon with the rules, its S3 and its STS."""
    urls = {"s3": f"http://127.0.0.1:{aws.port}", "sts": f"http://127.0.0.1:{sts.port}"}
    config = {"profile": {"default": {"endpoints": urls}}, "policy": RULES}
    with running_daemon(config, expected=("a visit of", *expected)) as daemon:
        daemon.folder.chmod(0o755)
        yield daemon


def key_of(exchange: Exchange) -> str:
    """Whose signature a request has."""
    return exchange.headers["authorization"].partition("Credential=")[2].partition("/")[0]


@needs_root
def test_a_rule_s_callers_act_under_its_role(servers: Servers) -> None:
    """Session, source identity, tags, external id, duration: asserted where they arrive."""
    with (
        http_server(reply(b"miaow")) as aws,
        recorded(servers.s3) as sts,
        daemon_at(aws, sts) as daemon,
    ):
        assert ask(daemon, WEB, GET, GET) == [0, 0]
        assert ask(daemon, SHOP, GET) == [0]
        assert ask(daemon, 0, GET) == [0]
        (taken,) = sts.requests
        asked = {name: values[0] for name, values in parse_qs(taken.body.decode()).items()}
        assert (
            asked.items()
            >= {
                "Action": "AssumeRole",
                "RoleArn": ROLE,
                "RoleSessionName": f"{WEB}-botod.1",
                "SourceIdentity": f"user-{WEB}",
                "ExternalId": "agreed",
                "DurationSeconds": "900",
                "Tags.member.1.Key": "caller",
                "Tags.member.1.Value": str(WEB),
                "Tags.member.2.Key": "of",
                "Tags.member.2.Value": "default",
            }.items()
        )
        own = KEYS["AWS_ACCESS_KEY_ID"]
        assert key_of(taken) == own
        signers = [key_of(exchange) for exchange in aws.requests]
        assert signers[0] == signers[1] != own
        assert signers[2:] == [own, own]
        assert "x-amz-security-token" in aws.requests[0].headers
        names = [exchange.headers["user-agent"].split()[-1] for exchange in aws.requests]
        assert names == [f"user/{WEB}", f"user/{WEB}", f"user/{SHOP}", "user/root"]
        with daemon.connect() as connection:
            status = connection.call("botod.status")["keys"]
        assert status[f"user {WEB} by botod.1 on profile 'default'"]["source"] == "assume-role"


@needs_root
def test_a_job_is_signed_once(servers: Servers) -> None:
    """What is under a role and what is not do not go together, though both are allowed."""
    with (
        http_server(reply(b"miaow")) as aws,
        recorded(servers.s3) as sts,
        daemon_at(aws, sts) as daemon,
    ):
        assert ask(daemon, WEB, COPY) == [Code.ACCESS_DENIED]
        assert not aws.requests


@needs_root
def test_a_role_that_may_not_be_taken() -> None:
    """Its callers are told so, without the role's name; nobody else is touched."""
    with (
        http_server(reply(b"miaow")) as aws,
        http_server(sts_error) as sts,
        daemon_at(aws, sts, "its role cannot be taken") as daemon,
    ):
        assert ask(daemon, WEB, GET, GET) == [Code.NO_CREDENTIALS] * 2
        assert ask(daemon, SHOP, GET) == [0]
        daemon.wait_for_line("its role cannot be taken: AssumeRole answered AccessDenied: not you")
        assert len(sts.requests) == 1  # the second one did not ask again at once
        assert not any(ROLE in line for line in daemon.lines)
