"""The Debian package, as docs/install.md has it: built, installed, started and removed.

In a Debian of its own.
"""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from support.daemons import BOUND_S, KEYS
from support.tools import environ, tool
from support.trees import ROOT

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can have a Debian of its own"),
]

BUILD_S = 900.0
"""For a Debian from its mirror, or a package from an index, on a machine with other work."""

DEBIAN_PYTHON = "/usr/bin/python3"


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package, built by this tree's own script."""
    folder = tmp_path_factory.mktemp("deb")
    subprocess.run(
        [ROOT / "packaging" / "make-deb", DEBIAN_PYTHON, folder],
        env=environ(),
        check=True,
        timeout=BUILD_S,
        stdout=subprocess.DEVNULL,
    )
    (file,) = folder.glob("botod_*.deb")
    return file


@pytest.fixture(scope="module")
def debian(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small Debian of this machine's release, with Python."""
    release = dict(
        line.split("=", 1)
        for line in Path("/etc/os-release").read_text().splitlines()
        if "=" in line
    )
    if release.get("ID") != "debian":
        pytest.skip("the package is for the Debian that it is built on")
    folder = tmp_path_factory.mktemp("debian")
    folder.chmod(0o755)
    done = subprocess.run(
        [
            tool("debootstrap"), "--variant=minbase", "--include=python3",
            release["VERSION_CODENAME"], folder,
        ],
        check=False,
        timeout=BUILD_S,
        capture_output=True,
        text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:]
    return folder


def inside(debian: Path, *command: str, status: int = 0, user: str = "root") -> str:
    """What a command prints there."""
    done = subprocess.run(
        ["chroot", f"--userspec={user}:", debian, *command],
        capture_output=True,
        text=True,
        timeout=BUILD_S,
        check=False,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout


def test_its_life(package: Path, debian: Path) -> None:
    """Installed, asked, run as its user, installed again over a changed file, removed, purged."""
    (debian / "tmp" / "botod.deb").write_bytes(package.read_bytes())
    install = ("dpkg", "--force-confold", "-i", "/tmp/botod.deb")
    inside(debian, *install)
    assert "usage: botod" in inside(debian, "botod", "--help")
    inside(debian, "botod", "config", "check", "/etc/botod/botod.toml")
    assert "ExecStart=/usr/lib/botod/bin/botod run" in inside(debian, "botod", "systemd-unit")
    unit = (debian / "usr/lib/systemd/system/botod.service").read_text()
    assert "ExecStart=/usr/bin/botod run --config /etc/botod/botod.toml" in unit
    assert inside(debian, "getent", "passwd", "botod").startswith("botod:")
    runs_and_ends(debian)

    config = debian / "etc" / "botod" / "botod.toml"
    config.write_text('[daemon]\nlog_level = "warning"\n')
    inside(debian, *install)
    assert config.read_text().startswith("[daemon]"), "what an operator wrote stays"
    inside(debian, "dpkg", "-r", "botod")
    assert not (debian / "usr/lib/botod").exists()
    assert config.exists()
    inside(debian, "dpkg", "-P", "botod")
    assert not config.parent.exists()


def runs_and_ends(debian: Path) -> None:
    """As the unit has it: in the foreground, as its own user, ended by SIGTERM."""
    inside(debian, "install", "-d", "-o", "botod", "/run/botod")
    command = ["botod", "run", "--config", "/etc/botod/botod.toml"]
    daemon = subprocess.Popen(
        ["chroot", "--userspec=botod:", debian, *command],
        env={"PATH": "/usr/sbin:/usr/bin:/bin", **KEYS},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert daemon.stderr is not None
        next(line for line in daemon.stderr if "modules are compiled" in line)
        heard = next(line for line in daemon.stderr if "listening on" in line)
        assert "/run/botod/botod.sock" in heard
        answer = inside(debian, "botod", "call", "botod.ping", user="botod")
        assert f'"pid": {daemon.pid}' in answer
        inside(debian, "botod", "call", "botod.ping", status=1)  # root is like any other
        daemon.send_signal(signal.SIGTERM)
        daemon.communicate(timeout=BOUND_S)
    finally:
        daemon.kill()
    assert daemon.returncode == 0


def test_what_is_in_it(package: Path) -> None:
    """Configuration that is kept, manuals, completion, and the version of this tree."""
    listed = subprocess.run(
        ["dpkg-deb", "-c", package], capture_output=True, text=True, check=True, timeout=BOUND_S
    ).stdout
    for name in (
        "./etc/botod/botod.toml",
        "./usr/bin/botod",
        "./usr/share/man/man8/botod.8.gz",
        "./usr/share/bash-completion/completions/botod",
        "./usr/lib/sysusers.d/botod.conf",
    ):
        assert f" {name}" in listed
    fields = subprocess.run(
        ["dpkg-deb", "-f", package], capture_output=True, text=True, check=True, timeout=BOUND_S
    ).stdout
    version = (ROOT / "pyproject.toml").read_text().partition('version = "')[2].partition('"')[0]
    assert f"Version: {version}\n" in fields


def test_the_same_tree_makes_the_same_package(package: Path, tmp_path: Path) -> None:
    """Bit for bit, so that who checks can build it again."""
    build = [ROOT / "packaging" / "make-deb", DEBIAN_PYTHON, tmp_path]
    subprocess.run(build, env=environ(), check=True, timeout=BUILD_S, stdout=subprocess.DEVNULL)
    (again,) = tmp_path.glob("botod_*.deb")
    assert again.read_bytes() == package.read_bytes()
