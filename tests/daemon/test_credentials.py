"""Where keys come from: AWS's chain, each link of it good, failing, hanging and ending."""

import datetime as dt
import json
import logging
import os
import select
import stat
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import botocore.config
import botocore.exceptions
import botocore.utils
import pytest

from botod.daemon import credentials
from botod.daemon.credentials import CHAIN, Keys, NoKeys, find_keys, sts_client, words_of
from support.http_server import Exchange, HttpServer, http_server

ENVIRONMENT = {"AWS_ACCESS_KEY_ID": "env-access", "AWS_SECRET_ACCESS_KEY": "env-secret"}
FILE = """
[default]
aws_access_key_id = file-access
aws_secret_access_key = file%secret
[backup]
aws_access_key_id = backup-access
aws_secret_access_key = backup-secret
aws_session_token = backup-token
[half]
aws_access_key_id = half-access
[blank]
aws_access_key_id = with blank
aws_secret_access_key = hidden
"""
HOUR = dt.datetime.now(dt.UTC).replace(microsecond=0) + dt.timedelta(hours=1)
GIVEN = {
    "AccessKeyId": "given-access",
    "SecretAccessKey": "given-secret",
    "Expiration": HOUR.strftime("%Y-%m-%dT%H:%M:%SZ"),
}
WANTED = ("given-access", "given-secret", "given-token")
ASSUMED = f"""<{{action}}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
<{{action}}Result><Credentials><AccessKeyId>given-access</AccessKeyId>
<SecretAccessKey>given-secret</SecretAccessKey><SessionToken>given-token</SessionToken>
<Expiration>{GIVEN["Expiration"]}</Expiration></Credentials>
<AssumedRoleUser><Arn>arn:aws:sts::1:assumed-role/r/s</Arn><AssumedRoleId>A:s</AssumedRoleId>
</AssumedRoleUser></{{action}}Result></{{action}}Response>"""


class Waiting:
    """A server that says nothing until the test is over."""

    def __init__(self) -> None:
        self.over = threading.Event()

    def __call__(self, exchange: Exchange) -> None:
        self.over.wait(30.0)


@pytest.fixture
def waiting() -> Iterator[Waiting]:
    """A server that hangs."""
    server = Waiting()
    yield server
    server.over.set()


@pytest.fixture(autouse=True)
def _clean(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing of this machine's, short time limits, and botocore as silent as in the daemon."""
    caplog.set_level(logging.CRITICAL, "botocore")
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(botocore.utils.ContainerMetadataFetcher, "TIMEOUT_SECONDS", 0.3)
    monkeypatch.setattr(botocore.utils.ContainerMetadataFetcher, "RETRY_ATTEMPTS", 1)
    monkeypatch.setattr(botocore.utils.ContainerMetadataFetcher, "SLEEP_TIME", 0)
    quick = botocore.config.Config(
        connect_timeout=0.3, read_timeout=0.3, retries={"total_max_attempts": 1}
    )
    monkeypatch.setattr(credentials, "STS", quick)
    monkeypatch.setattr(credentials, "PROCESS_TIMEOUT_S", 0.3)


def set_environ(monkeypatch: pytest.MonkeyPatch, **values: str) -> None:
    """Set variables of the environment."""
    for name, value in values.items():
        monkeypatch.setenv(name, value)


def in_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str = FILE, *, config: str = ""
) -> Path:
    """AWS's shared files, with these texts; the one with keys."""
    path = tmp_path / "credentials"
    path.write_text(text)
    (tmp_path / "config").write_text(config)
    set_environ(
        monkeypatch,
        AWS_SHARED_CREDENTIALS_FILE=str(path),
        AWS_CONFIG_FILE=str(tmp_path / "config"),
    )
    return path


def found(aws_profile: str = CHAIN) -> Keys:
    """What is found."""
    return find_keys(aws_profile, "eu-central-1")


def refused(aws_profile: str = CHAIN) -> str:
    """Why there are none; without anything that is secret."""
    with pytest.raises(NoKeys) as caught:
        found(aws_profile)
    words = str(caught.value)
    assert "hidden" not in words
    assert "secret" not in words
    return words


def test_the_environment_comes_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With a session token if it has one; an empty one is none."""
    in_file(monkeypatch, tmp_path)
    set_environ(monkeypatch, **ENVIRONMENT, AWS_SESSION_TOKEN="")
    assert found() == Keys("env-access", "env-secret", None, None, "env")
    set_environ(monkeypatch, AWS_SESSION_TOKEN="env-token")
    assert found().triple == ("env-access", "env-secret", "env-token")


def test_the_files_have_keys_by_profile(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Taken as they stand: a percent sign is a character like any other."""
    in_file(monkeypatch, tmp_path)
    assert found().triple == ("file-access", "file%secret", None)
    assert found("backup").triple == ("backup-access", "backup-secret", "backup-token")


def test_other_profiles_never_have_the_environment_s_keys(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Those are of one account."""
    in_file(monkeypatch, tmp_path)
    set_environ(monkeypatch, **ENVIRONMENT)
    assert found("backup").triple == ("backup-access", "backup-secret", "backup-token")
    assert refused("unknown") == "The config profile (unknown) could not be found"


def test_keys_that_were_put_elsewhere_are_seen(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each look reads the files anew."""
    path = in_file(monkeypatch, tmp_path)
    assert found().access_key == "file-access"
    path.write_text(FILE.replace("file-access", "newer-access"))
    assert found().access_key == "newer-access"


def test_systemd_may_bring_the_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As LoadCredential=aws-credentials:PATH; a file that a variable names goes before it."""
    (tmp_path / "aws-credentials").write_text(FILE)
    set_environ(monkeypatch, CREDENTIALS_DIRECTORY=str(tmp_path))
    assert found().triple == ("file-access", "file%secret", None)
    other = tmp_path / "other"
    other.write_text(FILE.replace("file-access", "other-access"))
    set_environ(monkeypatch, AWS_SHARED_CREDENTIALS_FILE=str(other))
    assert found().access_key == "other-access"


def test_nothing_is_nowhere() -> None:
    """It says where was looked, and what to set."""
    assert refused().startswith("there are none in the environment (AWS_ACCESS_KEY_ID, AWS_")


@pytest.mark.parametrize(
    ("aws_profile", "words"),
    [
        ("half", "Partial credentials found in shared-credentials-file, missing: aws_"),
        ("blank", "the access key from shared-credentials-file is none: it is empty, or has blan"),
    ],
)
def test_what_is_no_key(
    aws_profile: str, words: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Half of a pair, or something that cannot stand in a header."""
    in_file(monkeypatch, tmp_path)
    with pytest.raises(NoKeys) as caught:
        found(aws_profile)
    assert str(caught.value).startswith(words)
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "aws_secret_access_key = hidden\n",
        "[default]\naws_secret_access_key hidden\n",
        "[default]\naws_secret_access_key = hidden\naws_secret_access_key = hidden\n",
    ],
)
def test_a_broken_file_is_named_and_not_quoted(
    text: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The parser's own errors show the line, and so the secret."""
    path = in_file(monkeypatch, tmp_path, text)
    assert refused() == f"Unable to parse config file: {path}"


def test_keys_do_not_show_themselves() -> None:
    """Neither repr nor str has anything of them."""
    keys = Keys("an-access", "a-secret", "a-token", 7.0, "env")
    assert repr(keys) == str(keys) == "Keys(expires_at=7.0, source='env')"


# The machine's role: metadata service, version 2.


def metadata(exchange: Exchange) -> None:
    """What answers at 169.254.169.254, to those who bring a token."""
    if exchange.method == "PUT" and exchange.target == "/latest/api/token":
        assert int(exchange.headers["x-aws-ec2-metadata-token-ttl-seconds"]) > 0
        exchange.ok(b"a-ticket")
    elif exchange.headers.get("x-aws-ec2-metadata-token") != "a-ticket":
        exchange.ok(b"", status="401 Unauthorized")
    elif exchange.target.endswith("/security-credentials/"):
        exchange.ok(b"the-role")
    else:
        assert exchange.target.endswith("/security-credentials/the-role")
        role = GIVEN | {"Token": "given-token", "Code": "Success", "Type": "AWS-HMAC"}
        exchange.ok(json.dumps(role).encode())


@pytest.fixture
def at_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the machine asked."""
    monkeypatch.delenv("AWS_EC2_METADATA_DISABLED")


def asked_at(server: HttpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the machine's metadata service on loopback."""
    url = f"http://127.0.0.1:{server.port}"
    set_environ(monkeypatch, AWS_EC2_METADATA_SERVICE_ENDPOINT=url)


def test_the_machine_s_role(at_machine: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a token, which version 1 did not ask for; its keys end, and are said to."""
    with http_server(metadata) as server:
        asked_at(server, monkeypatch)
        keys = found()
    assert (keys.triple, keys.source) == (WANTED, "iam-role")
    assert keys.expires_at == HOUR.timestamp()


@pytest.mark.parametrize("status", ["500 Oops", "404 Not Found", "401 Unauthorized"])
def test_a_machine_without_a_role(
    status: str, at_machine: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is as if it were not asked."""
    with http_server(lambda exchange: exchange.ok(b"hidden", status=status)) as server:
        asked_at(server, monkeypatch)
        assert refused().startswith("there are none in the environment")


def test_a_metadata_service_that_hangs(
    at_machine: None, monkeypatch: pytest.MonkeyPatch, waiting: Waiting
) -> None:
    """It is left after a second."""
    with http_server(waiting) as server:
        asked_at(server, monkeypatch)
        assert refused().startswith("there are none in the environment")


# The container's role.


def container(exchange: Exchange) -> None:
    """What ECS and EKS have at an address of their own."""
    assert exchange.headers["authorization"] == "a-ticket"
    exchange.ok(json.dumps(GIVEN | {"Token": "given-token"}).encode())


def in_container(server: HttpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have its endpoint on loopback."""
    set_environ(
        monkeypatch,
        AWS_CONTAINER_CREDENTIALS_FULL_URI=f"http://127.0.0.1:{server.port}/creds",
        AWS_CONTAINER_AUTHORIZATION_TOKEN="a-ticket",
    )


def test_the_container_s_role(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the token that the container was given."""
    with http_server(container) as server:
        in_container(server, monkeypatch)
        keys = found()
    assert (keys.triple, keys.source) == (WANTED, "container-role")
    assert keys.expires_at == HOUR.timestamp()


@pytest.mark.parametrize("body", ["hidden", '{"AccessKeyId": "hidden"}'])
@pytest.mark.parametrize("status", ["200 OK", "500 Oops"])
def test_a_container_that_fails(status: str, body: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said to; nothing of its answer is."""
    with http_server(lambda exchange: exchange.ok(body.encode(), status=status)) as server:
        in_container(server, monkeypatch)
        assert "fail" in refused()


def test_a_container_that_hangs(monkeypatch: pytest.MonkeyPatch, waiting: Waiting) -> None:
    """It is left after some seconds."""
    with http_server(waiting) as server:
        in_container(server, monkeypatch)
        assert "fail" in refused()


# A process that gives keys.


def process(tmp_path: Path, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the profile called default name a program that runs this code."""
    script = tmp_path / "give-keys"
    script.write_text(f"#!{sys.executable}\n{code}\n")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    config = f"[default]\ncredential_process = {script} --for me\n"
    in_file(monkeypatch, tmp_path, "", config=config)


def test_a_process_gives_keys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As JSON; it has no terminal to ask somebody."""
    said = json.dumps(GIVEN | {"Version": 1, "SessionToken": "given-token"})
    code = (
        "import sys\nassert sys.argv[1:] == ['--for', 'me'] and not sys.stdin.read()\n"
        f"print({said!r})"
    )
    process(tmp_path, code, monkeypatch)
    keys = found()
    assert (keys.triple, keys.source) == (WANTED, "custom-process")
    assert keys.expires_at == HOUR.timestamp()


@pytest.mark.parametrize(
    "code", ["raise SystemExit('hidden')", "print('hidden')", "print('{\"Version\": 7}')"]
)
def test_a_process_that_fails(code: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It is said to; what it says is not, which may be anything."""
    process(tmp_path, code, monkeypatch)
    assert "failed" in refused()


def test_a_process_that_gives_old_keys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """That their time is over is said, and by whom."""
    old = GIVEN | {"Version": 1, "SessionToken": "t", "Expiration": "2020-01-01T00:00:00Z"}
    process(tmp_path, f"print({json.dumps(old)!r})", monkeypatch)
    assert refused() == "what gives them failed: it gave keys that have expired"


def test_a_process_that_is_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The file is named."""
    in_file(monkeypatch, tmp_path, "", config="[default]\ncredential_process = /no/such\n")
    assert refused() == "/no/such: No such file or directory"


def test_a_process_that_hangs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It is ended, with what it has started, which would hold its output open."""
    code = (
        "import os, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        f"open({str(tmp_path / 'pids')!r}, 'w').write(f'{{os.getpid()}} {{child.pid}}')\n"
        "time.sleep(600)"
    )
    process(tmp_path, code, monkeypatch)
    monkeypatch.setattr(credentials, "PROCESS_TIMEOUT_S", 2.0)
    assert refused() == "credential_process took more than 2 s"
    for pid in (tmp_path / "pids").read_text().split():
        try:
            process_ended = os.pidfd_open(int(pid))
        except ProcessLookupError:
            continue
        assert select.select([process_ended], [], [], 30.0)[0]
        os.close(process_ended)


# Roles by way of STS: of a profile, and by a web identity.


def sts(exchange: Exchange) -> None:
    """What gives temporary keys."""
    action = "AssumeRoleWithWebIdentity" if b"WebIdentity" in exchange.body else "AssumeRole"
    exchange.ok(ASSUMED.format(action=action).encode(), "Content-Type: text/xml")


def sts_error(exchange: Exchange) -> None:
    """What refuses to."""
    body = (
        b"<ErrorResponse><Error><Code>AccessDenied</Code><Message>not you</Message></Error>"
        b"</ErrorResponse>"
    )
    exchange.ok(body, "Content-Type: text/xml", status="403 Forbidden")


def role_config(server: HttpServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Have a profile with a role, taken with another one's keys."""
    config = (
        "[profile shop]\nrole_arn = arn:aws:iam::123456789012:role/shop\n"
        "source_profile = backup\nexternal_id = agreed\nduration_seconds = 900\n"
        "role_session_name = shop\n"
    )
    in_file(monkeypatch, tmp_path, config=config)
    set_environ(monkeypatch, AWS_ENDPOINT_URL_STS=f"http://127.0.0.1:{server.port}")


def test_a_profile_s_role(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With external id and duration, asked for with the keys of its source."""
    with http_server(sts) as server:
        role_config(server, monkeypatch, tmp_path)
        keys = found("shop")
    assert (keys.triple, keys.source) == (WANTED, "assume-role")
    assert keys.expires_at == HOUR.timestamp()
    (request,) = server.requests
    assert b"ExternalId=agreed" in request.body
    assert b"DurationSeconds=900" in request.body
    assert "Credential=backup-access/" in request.headers["authorization"]


def test_a_role_that_may_not_be_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """AWS's words say why."""
    with http_server(sts_error) as server:
        role_config(server, monkeypatch, tmp_path)
        assert refused("shop") == "AssumeRole answered AccessDenied: not you"


def test_a_role_whose_service_hangs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, waiting: Waiting
) -> None:
    """It is left after some seconds."""
    with http_server(waiting) as server:
        role_config(server, monkeypatch, tmp_path)
        assert refused("shop").startswith("Read timeout on endpoint URL")


def test_a_web_identity(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """EKS's: the token in a file is what proves it; without the file it is said which."""
    token = tmp_path / "token"
    set_environ(
        monkeypatch,
        AWS_WEB_IDENTITY_TOKEN_FILE=str(token),
        AWS_ROLE_ARN="arn:aws:iam::123456789012:role/pod",
    )
    assert refused() == f"{token}: No such file or directory"
    token.write_text("a-web-token")
    with http_server(sts) as server:
        set_environ(monkeypatch, AWS_ENDPOINT_URL_STS=f"http://127.0.0.1:{server.port}")
        keys = found()
    assert (keys.triple, keys.source) == (WANTED, "assume-role-with-web-identity")
    assert b"WebIdentityToken=a-web-token" in server.requests[0].body
    with http_server(sts_error) as server:
        set_environ(monkeypatch, AWS_ENDPOINT_URL_STS=f"http://127.0.0.1:{server.port}")
        assert refused() == "AssumeRoleWithWebIdentity answered AccessDenied: not you"


def test_our_own_client_of_sts(tmp_path: Path) -> None:
    """It asks where it is told, with the keys it is given."""
    with http_server(sts) as server:
        url = f"http://127.0.0.1:{server.port}"
        client = sts_client(Keys("a", "s", "t"), region="eu-west-1", url=url, ca_file=None)
        given = client.assume_role(RoleArn="arn:aws:iam::1:role/r12345", RoleSessionName="me")
    assert given["Credentials"]["AccessKeyId"] == "given-access"
    (request,) = server.requests
    assert "Credential=a/" in request.headers["authorization"]
    assert request.headers["x-amz-security-token"] == "t"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            botocore.exceptions.ClientError(
                {"Error": {"Code": "SignatureDoesNotMatch", "Message": "should be hidden"}}, "Do"
            ),
            "Do answered SignatureDoesNotMatch",
        ),
        (ValueError("hidden"), "what gives them failed: ValueError"),
        (OSError("hidden"), "what gives them failed: OSError"),
        (
            botocore.exceptions.CredentialRetrievalError(provider="x", error_msg="hidden"),
            "x failed",
        ),
    ],
)
def test_words_that_may_be_secret_are_not_repeated(error: Exception, words: str) -> None:
    """What is said of a signature has the request in it; other programs say what they like."""
    assert words_of(error) == words
