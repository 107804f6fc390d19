"""The project on a Python that boto itself does not import on: Debian 13's, in a folder of its own.

It is made by debootstrap, which needs root, and kept in $BOTOD_TEST_CACHE; the project is installed
there anew each time, by pip. BOTOD_TEST_PYTHON names another Python to use instead.
"""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.tools import tool

pytestmark = pytest.mark.long

PROJECT = Path(__file__).parents[2]
CACHE = Path(os.environ.get("BOTOD_TEST_CACHE") or Path(sys.prefix, "cache"))
ROOTS = Path("/etc/ssl/certs/ca-certificates.crt")
CORE = ("tests/pool", "tests/test_imports.py")
DEBOOTSTRAP_TIMEOUT_S = 900.0
INSTALL_TIMEOUT_S = 600.0
RUN_TIMEOUT_S = 600.0
NOT_THE_PROJECT = shutil.ignore_patterns(".*", "__pycache__", "build", "*.egg-info")

# Some tests look at /proc. The mount is gone with the command, whatever becomes of it.
INSIDE = 'mount -t proc proc "$0/proc" && exec chroot "$0" "$@"'


@dataclass(frozen=True)
class System:
    """Where a newer Python is: in the file system at `root`, or in this one."""

    root: Path
    python: str
    folder: str  # the project's copy and its environment, inside

    def run(self, *command: str, timeout_s: float, cwd: str = "/") -> str:
        """What a command prints inside; it has to succeed."""
        inside = ["env", f"--chdir={cwd}", *command]
        if self.root != Path("/"):
            inside = [tool("unshare"), "--mount", "sh", "-c", INSIDE, str(self.root), *inside]
        done = subprocess.run(
            inside, check=False, capture_output=True, text=True, timeout=timeout_s
        )
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout


def debian() -> System:
    """Debian 13, with a Python 3.13."""
    if os.geteuid() != 0:
        pytest.skip("debootstrap and chroot need root")
    root = CACHE / "trixie"
    if not root.exists():
        unfinished = CACHE / "trixie.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        packages = "--include=python3-venv,ca-certificates"
        subprocess.run(
            [tool("debootstrap"), "--variant=minbase", packages, "trixie", str(unfinished)],
            check=True,
            stdout=subprocess.DEVNULL,
            timeout=DEBOOTSTRAP_TIMEOUT_S,
        )
        unfinished.rename(root)
    for path in (Path("/etc/hosts"), Path("/etc/resolv.conf"), ROOTS):
        if path.exists():  # names and roots as on this machine, for pip
            shutil.copy(path, root / path.relative_to("/"))
    return System(root, "/usr/bin/python3", "/botod")


@pytest.fixture(scope="module")
def system() -> System:
    """A newer Python with this project in `venv`, and its files beside."""
    named = os.environ.get("BOTOD_TEST_PYTHON")
    system = System(Path("/"), named, str(CACHE / "newer")) if named else debian()
    copy = system.root / system.folder.lstrip("/")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(PROJECT, copy, ignore=NOT_THE_PROJECT)
    system.run(system.python, "-m", "venv", f"{system.folder}/venv", timeout_s=INSTALL_TIMEOUT_S)
    system.run(
        *(f"{system.folder}/venv/bin/pip", "install", "--quiet", f"{system.folder}[test]"),
        timeout_s=INSTALL_TIMEOUT_S,
    )
    return system


def python(system: System, *arguments: str) -> str:
    """What the newer Python prints, among the project's files."""
    return system.run(
        f"{system.folder}/venv/bin/python",
        *arguments,
        timeout_s=RUN_TIMEOUT_S,
        cwd=system.folder,
    )


def test_it_is_one_that_boto_alone_does_not_import_on(system: System) -> None:
    """Else there is nothing to show."""
    code = "import sys; print(sys.version_info >= (3, 12))"
    assert python(system, "-c", code) == "True\n"
    with pytest.raises(AssertionError, match="No module named 'boto"):
        python(system, "-c", "import boto")


def test_the_same_submodules_of_boto_import(system: System) -> None:
    """As docs/boto-on-python.md has it: those that fail here fail there, for the same reasons."""
    script = "bench/boto_imports.py"
    here = subprocess.run(
        [sys.executable, PROJECT / script], check=True, capture_output=True, text=True
    ).stdout
    version, failed = here.split(":", 1)
    assert version.startswith("Python ")
    assert python(system, script).split(":", 1)[1] == failed


def test_the_project_s_tests_pass(system: System) -> None:
    """Of the pool, which is where boto is; they import boto before it, so pytest does it first."""
    python(system, "-m", "pytest", "-p", "botod.pool", "-q", "-m", "not long", *CORE)
