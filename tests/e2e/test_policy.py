"""Policy over a real socket: by the kernel's word, not by what a peer says."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from botod.ipc.errors import Code
from support.askers import ask, needs_root
from support.daemons import BOUND_S, RUN, Daemon, endpoints, running_daemon
from support.http_server import http_server
from support.services import reply

WEB, STRANGER, TEAM = 70033, 70044, 70050

ALLOWED = {"Bucket": "logs", "Key": "2026/x"}
OTHER = {"Bucket": "logs", "Key": "2025/x"}


@contextlib.contextmanager
def daemon_with(*rules: dict[str, Any], command: tuple[str, ...] = RUN) -> Iterator[Daemon]:
    """A daemon of ours that every user can reach, and these rules."""
    with http_server(reply(b"miaow")) as aws:
        config = endpoints(aws.port) | {"policy": list(rules)}
        with running_daemon(config, command=command) as daemon:
            daemon.folder.chmod(0o755)
            yield daemon


GET = ("s3.get_object", ALLOWED)
GET_OTHER = ("s3.get_object", OTHER)
PING: tuple[str, dict[str, Any]] = ("botod.ping", {})
STATUS: tuple[str, dict[str, Any]] = ("botod.status", {})
NO = int(Code.ACCESS_DENIED)
LOGS = {"allow": ["s3.get_object on logs/2026/*"]}


@needs_root
def test_users_on_one_socket() -> None:
    """The one that a rule serves, one that none does, and the daemon's own."""
    with daemon_with({"uid": WEB} | LOGS) as daemon:
        assert ask(daemon, WEB, GET, GET_OTHER, PING, STATUS) == [0, NO, 0, NO]
        assert ask(daemon, STRANGER, GET, PING, STATUS) == [NO, NO, NO]
        assert ask(daemon, 0, GET, GET_OTHER, PING, STATUS) == [0, 0, 0, 0]
        line = daemon.wait_for_line(f"user {WEB} may not call s3.get_object on 'logs/2025/x'")
        assert line.endswith("no rule is about it")


@needs_root
def test_root_that_dropped_its_rights() -> None:
    """What it was when it connected does not count, nor do the groups that it had then."""
    team = {"gid": TEAM} | LOGS
    with daemon_with({"uid": WEB, "allow": ["botod.status"]}, team) as daemon:
        assert ask(daemon, STRANGER, GET, STATUS, when="after", groups=(TEAM,)) == [NO, NO]
        assert ask(daemon, WEB, GET, STATUS, when="after", groups=(TEAM,)) == [NO, 0]


@needs_root
def test_members_of_a_group() -> None:
    """By a supplementary group, and by the sender's own."""
    with daemon_with({"gid": TEAM} | LOGS) as daemon:
        assert ask(daemon, STRANGER, GET, GET_OTHER, groups=(TEAM,)) == [0, NO]
        assert ask(daemon, TEAM, GET) == [0]
        assert ask(daemon, STRANGER, GET, groups=(TEAM + 1,)) == [NO]


@needs_root
def test_a_group_in_doubt_denies() -> None:
    """Who may have left it is refused what it is denied."""
    banned = {"gid": TEAM, "deny": ["*"]}
    with daemon_with(banned, {"uid": WEB} | LOGS) as daemon:
        assert ask(daemon, WEB, GET, groups=(TEAM,)) == [NO]
        assert ask(daemon, WEB, GET, groups=(TEAM,), when="after") == [NO]
        assert ask(daemon, WEB, GET) == [0]


@pytest.fixture
def unit() -> Iterator[Path]:
    """A control group like a service's, in the hierarchy that is systemd's."""
    root = Path("/sys/fs/cgroup/systemd")
    folder = (root if root.is_dir() else root.parent) / f"botod-test-{os.getpid()}.service"
    try:
        folder.mkdir()
    except OSError as error:
        pytest.skip(f"control groups cannot be made here: {error}")
    yield folder
    folder.rmdir()


@needs_root
def test_a_unit_s_processes(unit: Path) -> None:
    """The user alone does not do, the unit does; where the rule denies, too."""
    rule = {"uid": WEB, "unit": "botod-test-*.service"} | LOGS
    denied = {"cgroup": f"*/{unit.name}", "deny": ["s3.* on logs/2025/*"]}
    with daemon_with(denied, rule) as daemon:
        assert ask(daemon, WEB, GET, GET_OTHER, cgroup=str(unit)) == [0, NO]
        assert ask(daemon, WEB, GET) == [NO]
        assert ask(daemon, 0, GET, GET_OTHER, cgroup=str(unit)) == [0, NO]
        assert ask(daemon, 0, GET, GET_OTHER) == [0, 0]


INSIDE = (
    "import os, sys; os.execvp('unshare', ['unshare', '--user', '--map-root-user', "
    f"sys.executable, *{RUN!r}, *sys.argv[1:]])"
)


@needs_root
def test_a_peer_from_outside_the_user_namespace() -> None:
    """All users that the daemon's namespace does not know look like one; that one may nothing."""
    allowed = subprocess.run(["unshare", "--user", "true"], check=False, capture_output=True)
    if allowed.returncode:
        pytest.skip(f"no user namespaces here: {allowed.stderr.decode()}")
    everybody = {"user": "*", "allow": ["*"]}
    with daemon_with(everybody, command=("-c", INSIDE)) as daemon:
        assert ask(daemon, WEB, GET, PING) == [NO, NO]
        assert ask(daemon, 0, GET, PING) == [0, 0]
        daemon.stop()


def test_rules_with_a_mistake_keep_it_from_starting(tmp_path: Path) -> None:
    """Status 78; file, line and words are told."""
    config = tmp_path / "botod.toml"
    config.write_text('\n[[policy]]\nuser = "no-such-user"\nallow = ["*"]\n')
    done = subprocess.run(
        [sys.executable, *RUN, "--config", str(config)],
        stderr=subprocess.PIPE,
        timeout=BOUND_S,
        check=False,
        text=True,
    )
    assert done.returncode == 78
    assert done.stderr == (
        f"{config}: line 2: [[policy]] 1: user = 'no-such-user': there is no such user\n"
    )


def test_audit_lets_pass_and_says_so() -> None:
    """For the time in which rules are tried out."""
    with http_server(reply(b"miaow")) as aws:
        config = endpoints(aws.port) | {
            "daemon": {"policy_mode": "audit"},
            "policy": [{"user": "*", "deny": ["s3.* on logs/*"]}],
        }
        with running_daemon(config, expected=("audit",)) as daemon, daemon.connect() as connection:
            assert connection.call("s3.get_object", ALLOWED)["Body"] == b"miaow"
            daemon.wait_for_line("policy_mode is audit")
            daemon.wait_for_line("may not call s3.get_object on 'logs/2026/x'; ")
