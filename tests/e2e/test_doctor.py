"""Set-ups that are broken, each for real: `botod doctor` names the cause and the cure."""

import contextlib
import email.utils
import json
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from support.askers import needs_root
from support.certificates import new_authority
from support.daemons import (
    BOUND_S,
    Daemon,
    as_toml,
    clean_environ,
    endpoints,
    running_daemon,
    short_folder,
)
from support.http_server import Exchange, HttpServer, http_server
from support.namespaces import daemon_in
from support.proxies import proxy_server

DOCTOR = ("-m", "botod.daemon.cli", "doctor", "--json")

STRANGER = "4021"
"""A user that no rule knows, and nobody on a test's machine is."""


@dataclass
class Host:
    """A folder with a configuration, in which a doctor may be called."""

    folder: Path
    config: dict[str, Any] = field(default_factory=dict)

    @property
    def file(self) -> Path:
        return self.folder / "botod.toml"

    @property
    def socket(self) -> Path:
        return self.folder / "botod.sock"

    def say(self, config: Mapping[str, Any]) -> None:
        """Have a configuration, with its socket here."""
        daemon = {"socket": str(self.socket)} | config.get("daemon", {})
        self.file.write_text(as_toml({**config, "daemon": daemon}))

    def examine(
        self,
        *words: str,
        inside: Sequence[str] = (),
        python: Sequence[str] = DOCTOR,
        **environment: str,
    ) -> "Report":
        """What the doctor says. inside: a command that runs it. python: what Python runs."""
        environ = clean_environ(self.folder, **environment)
        done = subprocess.run(
            [*inside, sys.executable, *python, "--config", str(self.file), *words],
            env={name: value for name, value in environ.items() if value},
            capture_output=True,
            text=True,
            timeout=2 * BOUND_S,
            check=False,
        )
        assert done.stderr == ""
        report = Report(**json.loads(done.stdout))
        assert done.returncode == (0 if report.well else 1)
        return report


@dataclass
class Report:
    """What it said, as JSON."""

    well: bool
    findings: list[dict[str, str]]

    def assert_says(self, check: str, cause: str, cure: str, level: str = "FAIL") -> None:
        """That it found this, and told what to do."""
        assert any(
            (one["check"], one["level"]) == (check, level)
            and cause in one["cause"]
            and cure in one["cure"]
            for one in self.findings
        ), self.findings

    def levels(self, check: str) -> set[str]:
        """How bad it is, of one check."""
        return {one["level"] for one in self.findings if one["check"] == check}


@pytest.fixture(scope="module")
def server() -> Iterator[HttpServer]:
    """What is taken for AWS."""
    with http_server() as running:
        yield running


@pytest.fixture
def host(server: HttpServer) -> Iterator[Host]:
    """A host whose configuration leads to that server; nothing runs yet."""
    with short_folder() as folder:
        host = Host(folder)
        host.say(endpoints(server.port))
        yield host


@pytest.fixture
def served(server: HttpServer) -> Iterator[tuple[Host, Daemon]]:
    """A host with a daemon that runs."""
    config = endpoints(server.port) | {"policy": [{"uid": 0, "allow": ["botod.status"]}]}
    with running_daemon(config) as daemon:
        yield Host(daemon.folder), daemon


def test_where_nothing_is_broken(served: tuple[Host, Daemon]) -> None:
    """Nothing fails, every check is made, and nothing secret is said."""
    host, daemon = served
    report = host.examine()
    assert report.well, report.findings
    assert {one["check"] for one in report.findings} == {
        "config", "socket", "namespace", "libcurl", "descriptors", "policy", "directory",
        "credentials", "connect",
    }  # fmt: skip
    causes = [one["cause"] for one in report.findings]
    assert any(f"answers, pid {daemon.process.pid}" in cause for cause in causes)
    assert "profile 'default': keys from env, says the daemon" in causes
    assert "a-secret-key" not in str(report)


def test_for_a_person(served: tuple[Host, Daemon]) -> None:
    """A line each: how bad, what was looked at, what is the case."""
    host, _daemon = served
    done = subprocess.run(
        [sys.executable, *DOCTOR[:-1], "--config", str(host.file), "--user", STRANGER],
        env=clean_environ(host.folder),
        capture_output=True,
        text=True,
        timeout=BOUND_S,
        check=False,
    )
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert lines[0].startswith(f"ok    config       {host.file}: 1 profiles, 1 rules")
    assert all(line.split()[0] in ("ok", "warn", "FAIL") for line in lines)
    assert any(
        line.startswith(f"FAIL  policy       user {STRANGER} may have nothing done")
        and f"write [[policy]] with uid = {STRANGER}" in line
        for line in lines
    )


def test_no_configuration(host: Host) -> None:
    """A name that is wrong."""
    host.file.unlink()
    host.examine().assert_says("config", "No such file", "make it")


def test_no_toml(host: Host) -> None:
    """A file in another language."""
    host.file.write_text("daemon:\n  socket: /x\n")
    host.examine().assert_says("config", "not TOML", "mend it")


def test_an_old_configuration(host: Host) -> None:
    """A setting, and a section, that there are no more: each with where to look."""
    host.file.write_text("[daemon]\nthreads = 4\n[cache]\nsize = 1\n")
    report = host.examine()
    report.assert_says("config", "threads: unknown setting", "docs/upgrade.md")
    report.assert_says("config", "[cache]: unknown section", "docs/upgrade.md")


def test_a_value_that_cannot_be(host: Host) -> None:
    """What the daemon would not start with."""
    host.say({"limits": {"peers": 0}})
    host.examine().assert_says("config", "has to be from 1 to", "exit status 78")


def test_others_may_write_the_rules(host: Host) -> None:
    """Who writes them decides who is served."""
    host.file.chmod(0o666)
    host.examine().assert_says("config", "others than its owner may write it", "chmod go-w")


def test_the_daemon_may_not_read_it(host: Host) -> None:
    """It is another user's, and closed."""
    host.folder.chmod(0o755)
    host.file.chmod(0o600)
    report = host.examine("--daemon-user", STRANGER)
    report.assert_says("config", f"user {STRANGER}, the daemon's, may not read it", "chmod 0640")


def test_no_rule(host: Host) -> None:
    """Only the daemon's own user is served, and somebody else asks."""
    report = host.examine("--user", STRANGER)
    report.assert_says("policy", "may have nothing done: no rules", "docs/policy.md")


def test_a_rule_by_unit(host: Host, server: HttpServer) -> None:
    """It depends on the unit, which is not known of somebody else."""
    rule = {"uid": int(STRANGER), "unit": "web.service", "allow": ["s3.*"]}
    host.say(endpoints(server.port) | {"policy": [rule]})
    report = host.examine("--user", STRANGER)
    report.assert_says("policy", "in some systemd units", "botod policy check", "warn")


@needs_root
def test_a_daemon_that_refuses_who_asks(served: tuple[Host, Daemon]) -> None:
    """Its own user is another one, as it is for root where the daemon has a user of its own."""
    host, _daemon = served
    host.folder.chmod(0o755)
    host.file.chmod(0o644)
    report = host.examine(inside=("setpriv", f"--reuid={STRANGER}", "--clear-groups"))
    report.assert_says("socket", "a daemon answers, and refuses who asks", "", "ok")
    report.assert_says("policy", f"user {STRANGER} may have nothing done", "docs/policy.md")


@needs_root
def test_a_daemon_with_other_rules(served: tuple[Host, Daemon]) -> None:
    """It has not been restarted since they were written."""
    host, _daemon = served
    host.folder.chmod(0o755)
    rule = {"uid": int(STRANGER), "allow": ["s3.*"]}
    host.say({"policy": [rule]})
    host.file.chmod(0o644)
    report = host.examine(inside=("setpriv", f"--reuid={STRANGER}", "--clear-groups"))
    report.assert_says("policy", "the daemon says: user", "restart it")


def test_audit(host: Host) -> None:
    """Rules that are not enforced are a thing to know."""
    host.say({"daemon": {"policy_mode": "audit"}})
    report = host.examine()
    report.assert_says("policy", "every local user may use", '"enforce"', "warn")


def test_no_socket(host: Host) -> None:
    """No daemon has started."""
    host.examine().assert_says("socket", "No such file", "systemctl start botod")


def test_no_folder_for_the_socket(host: Host) -> None:
    """Nor the directory of it."""
    report = host.examine("--socket", str(host.folder / "run" / "botod.sock"))
    report.assert_says("socket", "No such file", "there is no directory")


def test_a_stale_socket(host: Host) -> None:
    """A daemon was killed."""
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(host.socket))
    host.examine().assert_says("socket", "nobody listens there", "it replaces the dead socket")


def test_no_socket_but_a_file(host: Host) -> None:
    """As a container runtime leaves it that was to mount the socket, and not its directory."""
    host.socket.mkdir()
    host.examine().assert_says("socket", "something that is not a socket", "remove it")


@pytest.mark.long
def test_a_daemon_that_hangs(host: Host) -> None:
    """It takes connections and says nothing."""
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(host.socket))
        silent.listen()
        report = host.examine()
    report.assert_says("socket", "gave no answer within 5 s", "restart it")


def test_rights_of_the_socket(served: tuple[Host, Daemon]) -> None:
    """Somebody else may not write to it; it is not as the configuration says."""
    host, _daemon = served
    host.folder.chmod(0o755)
    host.socket.chmod(0o600)
    report = host.examine("--user", STRANGER)
    report.assert_says("socket", "has the rights 0600", "chmod 0666", "warn")
    report.assert_says("socket", f"user {STRANGER} may not write to", 'socket_mode = "0666"')


def test_rights_of_the_directory(served: tuple[Host, Daemon]) -> None:
    """Somebody else may not enter it; everybody may put something in its place."""
    host, _daemon = served
    host.folder.chmod(0o700)
    report = host.examine("--user", STRANGER)
    report.assert_says("socket", f"may not enter {host.folder} (0700)", "chmod o+x")
    host.folder.chmod(0o777)
    report = host.examine()
    report.assert_says("socket", "put a socket of their own there", f"chmod go-w {host.folder}")


def test_another_version(served: tuple[Host, Daemon]) -> None:
    """What is installed is not what runs."""
    host, _daemon = served
    code = (
        "import sys, botod.daemon.doctor.sockets as sockets; sockets.BOTOD_VERSION = '99.0';"
        "from botod.daemon.commands.doctor import main; sys.exit(main(sys.argv[1:]))"
    )
    report = host.examine(python=("-c", code, "--json"))
    report.assert_says("version", "99.0 is installed", "restart the daemon", "warn")


NOWHERE = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}


def test_no_credentials(host: Host) -> None:
    """Nothing in the environment, and no files."""
    report = host.examine(**NOWHERE)
    report.assert_says("credentials", "there are none", "docs/credentials.md")


def test_credentials_as_the_daemon_sees_them(host: Host, server: HttpServer) -> None:
    """Where it may be asked, it is: it may have others than who looks."""
    with running_daemon(
        endpoints(server.port),
        clean_environ(host.folder, **NOWHERE),
        expected=("keys of profile", "a visit of"),
    ) as daemon:
        daemon.wait_for_line("keys of profile 'default'")
        report = Host(daemon.folder).examine()
    report.assert_says("credentials", "the daemon says: there are none", "docs/credentials.md")


def test_half_of_the_credentials(host: Host) -> None:
    """An access key by itself, in the file; the key is not shown."""
    aws = host.folder / "credentials"
    aws.write_text("[default]\naws_access_key_id = a-visible-key\n")
    report = host.examine(**NOWHERE, AWS_SHARED_CREDENTIALS_FILE=str(aws))
    report.assert_says("credentials", "Partial credentials", "give all of them")
    assert "a-visible-key" not in str(report)


def test_credentials_for_another_profile(host: Host, server: HttpServer) -> None:
    """AWS's files have no section of that name."""
    config = endpoints(server.port)
    config["profile"]["reports"] = config["profile"]["default"]
    host.say(config)
    report = host.examine()
    report.assert_says("credentials", "(reports) could not be found", "set aws_profile")


def test_expired_credentials(host: Host) -> None:
    """A process gives keys whose time is over."""
    past = datetime.now(UTC) - timedelta(hours=1)
    given = {
        "Version": 1, "AccessKeyId": "k", "SecretAccessKey": "s", "SessionToken": "t",
        "Expiration": past.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }  # fmt: skip
    (host.folder / "given").write_text(json.dumps(given))
    aws = host.folder / "config"
    aws.write_text(f"[default]\ncredential_process = cat {host.folder}/given\n")
    report = host.examine(**NOWHERE, AWS_CONFIG_FILE=str(aws))
    report.assert_says("credentials", "expired", "renew them")


@pytest.mark.parametrize(
    ("code", "words"),
    [("ExpiredToken", "they have expired"), ("InvalidClientTokenId", "does not know")],
)
def test_credentials_that_aws_refuses(host: Host, code: str, words: str) -> None:
    """Only STS knows that their time is over, or that they are none."""

    def refuse(exchange: Exchange) -> None:
        body = f"<ErrorResponse><Error><Code>{code}</Code></Error></ErrorResponse>"
        exchange.ok(body.encode(), status="403 Forbidden")

    with http_server(refuse) as sts:
        config = {"default": {"endpoint": f"http://127.0.0.1:{sts.port}"}}
        host.say({"profile": config})
        host.examine().assert_says("credentials", words, "renew them")


@needs_root
def test_no_names(host: Host) -> None:
    """The resolver is away: no network at all."""
    host.say({})
    report = host.examine(inside=("unshare", "--net"))
    report.assert_says("dns", "s3.amazonaws.com has no address", "/etc/resolv.conf")


@needs_root
def test_a_region_that_there_is_not(host: Host) -> None:
    """Of a form that may be one some day: the list is asked."""
    host.say({"profile": {"default": {"region": "eu-central-7"}}})
    report = host.examine(inside=("unshare", "--net"))
    report.assert_says("region", "no region 'eu-central-7' is known", "mend region", "warn")
    report.assert_says("dns", "s3.eu-central-7.amazonaws.com has no", "mend region")


def test_a_region_of_no_form(host: Host) -> None:
    """The daemon would not start."""
    host.say({"profile": {"default": {"region": "frankfurt"}}})
    report = host.examine()
    report.assert_says("config", "is no region of AWS's", "in which buckets and queues are")


def test_another_region_in_the_environment(host: Host) -> None:
    """It is not looked at."""
    report = host.examine(AWS_REGION="eu-west-1")
    report.assert_says("region", "AWS_REGION is eu-west-1", '"eu-west-1"', "warn")


def test_nobody_listens_at_the_endpoint(host: Host) -> None:
    """A server that has not started."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        host.say(endpoints(taken.getsockname()[1]))
        report = host.examine()
    report.assert_says("connect", "Connection refused", "nobody listens there")


@needs_root
def test_an_endpoint_that_cannot_be_reached(host: Host) -> None:
    """No route leads there."""
    host.say({"profile": {"default": {"endpoint": "http://192.0.2.1:9000"}}})
    report = host.examine(inside=("unshare", "--net"))
    report.assert_says("connect", "192.0.2.1:9000", "routes, firewalls")


@contextlib.contextmanager
def tls_server(host: Host, context: ssl.SSLContext, **settings: str) -> Iterator[None]:
    """A server with a certificate, to which the configuration leads."""
    with http_server(tls=context) as server:
        endpoint = f"https://127.0.0.1:{server.port}"
        host.say({"profile": {"default": {"endpoint": endpoint, **settings}}})
        yield


def test_the_wrong_authority(host: Host) -> None:
    """The server's is not among the roots; they are named."""
    ours = new_authority(host.folder)
    with tls_server(host, ours.server_context("127.0.0.1")):
        report = host.examine()
        report.assert_says("tls", "cacert.pem has signed", "set ca_file in [profile.default]")
    with tls_server(host, ours.server_context("127.0.0.1"), ca_file=ours.ca_file):
        assert host.examine().levels("connect") == {"ok"}


def test_a_certificate_for_another_name(host: Host) -> None:
    """Its authority is right."""
    ours = new_authority(host.folder)
    with tls_server(host, ours.server_context("other.test"), ca_file=ours.ca_file):
        host.examine().assert_says("tls", "is for another name", "as its certificate does")


def test_an_expired_certificate(host: Host) -> None:
    """Or a clock that is ahead."""
    ours = new_authority(host.folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    past = datetime.now(UTC) - timedelta(days=1)
    ours.ca.issue_cert("127.0.0.1", not_after=past).configure_cert(context)
    with tls_server(host, context, ca_file=ours.ca_file):
        host.examine().assert_says("tls", "has expired", "renew it on the server")


def test_tls_where_there_is_none(host: Host, server: HttpServer) -> None:
    """https instead of http."""
    endpoint = f"https://127.0.0.1:{server.port}"
    host.say({"profile": {"default": {"endpoint": endpoint}}})
    report = host.examine()
    report.assert_says("tls", "no answer to TLS within 5 s", "is it TLS?")


@pytest.mark.parametrize(
    ("seconds", "way", "level"),
    [(3600, "behind", "FAIL"), (-3600, "ahead of", "FAIL"), (120, "behind", "warn")],
)
def test_a_clock_that_is_off(host: Host, seconds: int, way: str, level: str) -> None:
    """By the server's own word."""

    def say_time(exchange: Exchange) -> None:
        date = email.utils.formatdate(time.time() + seconds, usegmt=True)
        exchange.ok(b"", f"Date: {date}")

    with http_server(say_time) as server:
        host.say(endpoints(server.port))
        report = host.examine()
    report.assert_says("clock", f" s {way} that of 127.0.0.1", "timedatectl", level)


def test_a_proxy_that_wants_a_password(host: Host, server: HttpServer) -> None:
    """By whole URLs, and by a tunnel; with the password all is well, and it is not shown."""
    with proxy_server("ann", "hunter2") as proxy:
        for scheme in ("http", "https"):
            settings = {
                "endpoint": f"{scheme}://127.0.0.1:{server.port}",
                "proxy": f"http://127.0.0.1:{proxy.port}",
            }
            host.say({"profile": {"default": settings}})
            report = host.examine()
            report.assert_says("proxy", "the proxy refuses: 407", "give user and password")
        settings["proxy"] = f"http://ann:hunter2@127.0.0.1:{proxy.port}"
        settings["endpoint"] = f"http://127.0.0.1:{server.port}"
        host.say({"profile": {"default": settings}})
        report = host.examine()
    assert report.levels("connect") == {"ok"}
    assert "hunter2" not in str(report)


def test_a_proxy_that_is_not_there(host: Host, server: HttpServer) -> None:
    """The setting is named."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        proxy = f"http://127.0.0.1:{taken.getsockname()[1]}"
        endpoint = f"http://127.0.0.1:{server.port}"
        host.say({"profile": {"default": {"endpoint": endpoint, "proxy": proxy}}})
        report = host.examine()
    report.assert_says("proxy", "Connection refused", "look at proxy in [profile.default]")


def test_a_proxy_in_the_environment(host: Host) -> None:
    """It is not looked at."""
    report = host.examine(HTTPS_PROXY="http://10.0.0.1:3128")
    report.assert_says("proxy", "HTTPS_PROXY is set", "set proxy in [profile.default]", "warn")


def test_few_descriptors(host: Host) -> None:
    """The system's default is too few for the settings' defaults."""
    report = host.examine(inside=("sh", "-c", 'ulimit -n 1024; exec "$@"', "sh"))
    report.assert_says("descriptors", "may have 1024", "LimitNOFILE=65536")


def test_few_descriptors_of_the_daemon(served: tuple[Host, Daemon]) -> None:
    """What counts is what the one that runs may have."""
    host, daemon = served
    pid = str(daemon.process.pid)
    subprocess.run(["prlimit", "--pid", pid, "--nofile=512:512"], check=True)
    report = host.examine()
    report.assert_says("descriptors", f"the daemon, pid {pid}, may have 512", "minfds")


def test_no_asynchronous_resolver(host: Host) -> None:
    """A libcurl that says so of itself."""
    code = (
        "import sys, pycurl; told = list(pycurl.version_info());"
        "told[4] &= ~pycurl.VERSION_ASYNCHDNS; pycurl.version_info = lambda: tuple(told);"
        "from botod.daemon.commands.doctor import main; sys.exit(main(sys.argv[1:]))"
    )
    report = host.examine(python=("-c", code, "--json"))
    report.assert_says("libcurl", "resolves names synchronously", "docs/install.md")


def test_no_directory_for_the_keys(host: Host) -> None:
    """It has to be made."""
    host.say({"daemon": {"keys_file": f"{host.folder}/no/keys"}})
    report = host.examine("--daemon-user", STRANGER)
    report.assert_says("directory", "of keys_file: No such file", f"install -d -o {STRANGER}")


def test_rights_for_the_keys(host: Host) -> None:
    """The directory is another user's; or others may write there; or the file is another's."""
    folder = host.folder / "keys"
    folder.mkdir(mode=0o755)
    host.say({"daemon": {"keys_file": f"{folder}/keys"}})
    report = host.examine("--daemon-user", STRANGER)
    report.assert_says("directory", "the daemon's, may not write there", f"chown {STRANGER}")
    folder.chmod(0o777)
    report = host.examine()
    report.assert_says("directory", "others may write there", f"chmod go-w {folder}")
    (folder / "keys").write_text("")
    (folder / "keys").chmod(0o644)
    host.examine().assert_says("directory", "with the rights 0644", "chmod 600")


@needs_root
def test_a_full_disk(host: Host) -> None:
    """Where the keys file is to be."""
    folder = host.folder / "keys"
    folder.mkdir(mode=0o755)
    host.say({"daemon": {"keys_file": f"{folder}/keys"}})
    fill = (
        f"mount -t tmpfs -o size=64k,mode=755 tmpfs {folder} && "
        f'{{ head -c 100k /dev/zero > {folder}/x 2>&-; exec "$@"; }}'
    )
    report = host.examine(inside=("unshare", "--mount", "sh", "-c", fill, "sh"))
    report.assert_says("disk", "of keys_file: the disk is full", "make room")


def test_an_unmapped_user(host: Host) -> None:
    """As in a container whose user is none of the host's."""
    if subprocess.run(["unshare", "--user", "true"], check=False).returncode:
        pytest.skip("no user namespaces here")
    host.folder.chmod(0o755)
    host.file.chmod(0o644)
    report = host.examine(inside=("unshare", "--user"))
    report.assert_says("namespace", "is an unmapped user, 65534", "hostUsers: true")
    report.assert_says("policy", "is always refused", "in a container")


@needs_root
def test_an_unmapped_user_that_the_daemon_knows(served: tuple[Host, Daemon]) -> None:
    """The daemon is outside: for it, whoever was root there is root still."""
    host, _daemon = served
    report = host.examine(inside=("unshare", "--user"))
    report.assert_says("namespace", "a daemon outside knows it by", "map it", "warn")
    report.assert_says("policy", "the daemon serves who asks", "the number outside", "warn")


@needs_root
def test_a_socket_that_is_mounted_by_itself(served: tuple[Host, Daemon]) -> None:
    """The daemon has made another since; who has mounted the first waits in vain."""
    host, _daemon = served
    mount = 'touch "$1/old" && mount --bind "$1/dead" "$1/old" && shift && exec "$@"'
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(host.folder / "dead"))
    inside = ("unshare", "--mount", "sh", "-c", mount, "sh", str(host.folder))
    report = host.examine("--socket", f"{host.folder}/old", inside=inside)
    report.assert_says("socket", "and it is mounted by itself", "mount the directory")


@needs_root
def test_a_daemon_in_another_pid_namespace(served: tuple[Host, Daemon]) -> None:
    """Its number is not one of this namespace's, and belongs to another process there."""
    host, _daemon = served
    own = ("unshare", "--pid", "--fork", "--mount-proc")
    report = host.examine(inside=own)
    report.assert_says("socket", "answers, in a pid namespace that is not seen", "", "ok")
    report.assert_says("descriptors", "a process started here may have", "", "ok")


@needs_root
def test_a_daemon_below_this_pid_namespace(host: Host, server: HttpServer) -> None:
    """In a container it is pid 1; here it has another number, and pid 1 is the system's."""
    with running_daemon(
        endpoints(server.port), command=daemon_in("unshare", "--pid", "--fork", "--kill-child")
    ) as daemon:
        found = Host(daemon.folder).examine()
        children = Path(f"/proc/{daemon.process.pid}/task/{daemon.process.pid}/children")
        pid = children.read_text().strip()
        found.assert_says("socket", f"answers, pid {pid}", "", "ok")
        found.assert_says("policy", "user 0 is served", "", "ok")


@needs_root
def test_a_small_user_namespace(host: Host) -> None:
    """One user is mapped: all others are strangers to a daemon in there."""
    report = host.examine("--user", STRANGER, inside=("unshare", "--map-root-user"))
    report.assert_says("namespace", f"user {STRANGER} is not mapped", "run the daemon outside")
    report.assert_says("namespace", "that knows 1 users", "run the daemon on the host", "warn")


@needs_root
def test_a_daemon_in_another_namespace(served: tuple[Host, Daemon]) -> None:
    """Who asks is another one there."""
    host, _daemon = served
    report = host.examine(inside=("unshare", "--map-root-user"))
    report.assert_says("namespace", "in another user namespace", "--userns=host")


def test_a_user_that_there_is_not(host: Host, capfd: pytest.CaptureFixture[str]) -> None:
    """Wrong usage."""
    words = [sys.executable, *DOCTOR, "--user", "no-such-user", "--config", str(host.file)]
    assert subprocess.run(words, check=False, timeout=BOUND_S).returncode == 2
    assert capfd.readouterr().err == "botod: there is no user 'no-such-user'\n"
