"""Who asks: user, groups, and the unit that the sender runs in."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from botod.daemon.callers import OVERFLOW_ID, Caller, caller_of, cgroup_of, unit_of
from botod.daemon.rules import Who
from botod.ipc.exchange import Sender

UNIFIED = "0::/system.slice/web.service\n"
HYBRID = "9:name=systemd:/system.slice/web.service\n8:pids:/x\n4:memory:/y\n0::/\n"
STATUS = "Name:\tweb\nUmask:\t0022\nUid:\t33\t34\t33\t33\nGid:\t33\t33\t33\t33\n"


def proc_of(folder: Path, cgroup: str, status: str = STATUS) -> str:
    """A /proc with one process, number 7."""
    (folder / "7").mkdir()
    (folder / "7" / "cgroup").write_text(cgroup)
    (folder / "7" / "status").write_text(status)
    return str(folder)


@pytest.mark.parametrize("cgroup", [UNIFIED, HYBRID], ids=["unified", "hybrid"])
def test_the_cgroup_of_a_process(tmp_path: Path, cgroup: str) -> None:
    """systemd's hierarchy is the one that counts; any of the process's users will do."""
    proc = proc_of(tmp_path, cgroup)
    assert cgroup_of(7, 33, proc=proc) == "/system.slice/web.service"
    assert cgroup_of(7, 34, proc=proc) == "/system.slice/web.service"


@pytest.mark.parametrize(
    ("pid", "uid", "cgroup", "status"),
    [
        (0, 33, UNIFIED, STATUS),
        (8, 33, UNIFIED, STATUS),
        (7, 1000, UNIFIED, STATUS),
        (7, 33, UNIFIED, "Name:\tUid:\t33\n"),
        (7, 33, "", STATUS),
        (7, 33, "4:memory:/x\n", STATUS),
        (7, 33, "0::/../web.service\n", STATUS),
        (7, 33, "0::/system.slice/web.service (deleted)\n", STATUS),
    ],
    ids=[
        "another namespace", "dead", "another's", "no user", "none", "not systemd's", "outside",
        "deleted",
    ],
)  # fmt: skip
def test_a_cgroup_that_cannot_be_told(
    tmp_path: Path, pid: int, uid: int, cgroup: str, status: str
) -> None:
    """Then there is none, rather than a guess."""
    assert cgroup_of(pid, uid, proc=proc_of(tmp_path, cgroup, status)) is None


def test_a_process_that_ended() -> None:
    """Its number is nobody's, or another's."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        pass
    assert cgroup_of(process.pid, os.getuid() + 1) is None


def test_the_real_one() -> None:
    """As the kernel writes it."""
    cgroup = cgroup_of(os.getpid(), os.getuid())
    assert cgroup is not None
    assert cgroup in Path("/proc/self/cgroup").read_text()


@pytest.mark.parametrize(
    ("cgroup", "unit"),
    [
        ("/system.slice/web.service", "web.service"),
        ("/system.slice/web.service/workers/1", "web.service"),
        ("/system.slice/system-web.slice/web@1.service", "web@1.service"),
        ("/user.slice/user-1000.slice/user@1000.service/app.slice/x.service", "user@1000.service"),
        ("/user.slice/user-1000.slice/session-2.scope", "session-2.scope"),
        ("/system.slice/_cpu.service", "cpu.service"),
        ("/init.scope", "init.scope"),
        ("/docker/0123", ""),
        ("/", ""),
    ],
)
def test_units(cgroup: str, unit: str) -> None:
    """The system's own: what a user starts under any name is in that user's service."""
    assert unit_of(cgroup) == unit


WEB = Caller(33, frozenset({33, 4}), frozenset({27}), "/system.slice/web@2.service")


@pytest.mark.parametrize(
    "who",
    [
        Who(),
        Who(uid=33),
        Who(gid=4),
        Who(uid=33, gid=33),
        Who(unit="web@2.service"),
        Who(unit="web@*.service", uid=33),
        Who(cgroup="/system.slice/*"),
    ],
)
def test_who_it_is(who: Who) -> None:
    """All that is there holds."""
    assert WEB.surely_is(who)
    assert WEB.may_be(who)


@pytest.mark.parametrize(
    "who",
    [
        Who(uid=0),
        Who(gid=5),
        Who(uid=33, gid=5),
        Who(unit="web@2"),
        Who(unit="web@2.service", uid=0),
        Who(cgroup="/system.slice"),
    ],
)
def test_who_it_is_not(who: Who) -> None:
    """One that does not is enough."""
    assert not WEB.surely_is(who)
    assert not WEB.may_be(who)


@pytest.mark.parametrize(
    ("caller", "who"),
    [(WEB, Who(gid=27)), (Caller(33), Who(unit="a.service")), (Caller(33), Who(cgroup="*"))],
)
def test_who_it_may_be(caller: Caller, who: Who) -> None:
    """In doubt a rule denies, and does not allow."""
    assert not caller.surely_is(who)
    assert caller.may_be(who)


def test_a_sender_is_a_caller(tmp_path: Path) -> None:
    """Its own group is one of its groups; the stranger's group is nobody's."""
    sender = Sender(7, 33, 33, 1, frozenset({4, OVERFLOW_ID}), frozenset({27, OVERFLOW_ID}))
    proc = proc_of(tmp_path, UNIFIED)
    with_cgroup = caller_of(sender, needs_cgroup=True, proc=proc)
    assert with_cgroup == Caller(33, WEB.groups, WEB.doubtful_groups, "/system.slice/web.service")
    assert caller_of(sender, needs_cgroup=False, proc=proc).cgroup is None
