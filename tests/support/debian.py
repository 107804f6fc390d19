"""A Debian of a test's own, below a folder: for what would change this machine.

Made by debootstrap, which needs root, and kept in $BOTOD_TEST_CACHE; each test has a copy.
"""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.tools import tool

CACHE = Path(os.environ.get("BOTOD_TEST_CACHE") or Path(sys.prefix, "cache"))

PACKAGES = "python3,python3-venv,ca-certificates,procps,systemd,sudo"
"""What is on a server, as far as docs/install.md takes it for given."""

BUILD_S = 900.0
"""For a mirror, an index, or a compiler, on a machine with other work."""

ROOTS = Path("/etc/ssl/certs/ca-certificates.crt")

ENVIRON = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "DEBIAN_FRONTEND": "noninteractive",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "PIP_ROOT_USER_ACTION": "ignore",
}

INSIDE = 'mount -t proc proc "$0/proc" && exec chroot "$@"'
"""Some programs look at /proc. The mount is gone with the command, whatever becomes of it."""


@dataclass(frozen=True)
class Debian:
    """One of its own, below `root`."""

    root: Path

    def words(self, *command: str, user: str = "root") -> list[str]:
        """What runs a command inside."""
        root = str(self.root)
        inside = ["chroot", f"--userspec={user}:", root, *command]
        return ["unshare", "--mount", "sh", "-c", INSIDE, root, *inside[1:]]

    def run(self, *command: str, user: str = "root", **environ: str) -> str:
        """What a command prints inside; it has to succeed."""
        done = subprocess.run(
            self.words(*command, user=user),
            env=ENVIRON | environ,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=BUILD_S,
            check=False,
        )
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout


def debian(folder: Path) -> Debian:
    """A Debian of this machine's release in a folder that is not there yet."""
    if os.geteuid() != 0:
        pytest.skip("only root can have a Debian of its own")
    release = dict(
        line.split("=", 1)
        for line in Path("/etc/os-release").read_text(encoding="utf-8").splitlines()
        if "=" in line
    )
    if release.get("ID") != "debian":
        pytest.skip("debootstrap is asked for the release of this Debian")
    base = _base(release["VERSION_CODENAME"])
    subprocess.run(["cp", "-a", "--reflink=auto", base, folder], check=True, timeout=BUILD_S)
    for path in (Path("/etc/hosts"), Path("/etc/resolv.conf"), ROOTS):
        if path.exists():  # names and roots as on this machine, for pip
            shutil.copy(path, folder / path.relative_to("/"))
    (folder / "etc/apt/apt.conf.d/90yes").write_text('APT::Get::Assume-Yes "true";\n')
    return Debian(folder)


def _base(codename: str) -> Path:
    base = CACHE / f"{codename}-server"
    if not base.exists():
        unfinished = base.with_suffix(".new")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        done = subprocess.run(
            [
                tool("debootstrap"),
                "--variant=minbase",
                f"--include={PACKAGES}",
                codename,
                unfinished,
            ],
            check=False,
            capture_output=True,
            text=True,
            timeout=BUILD_S,
        )
        assert done.returncode == 0, done.stdout[-2000:]
        unfinished.rename(base)
    return base
