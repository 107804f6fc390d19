"""Wheel and source distribution, installed in an environment that has nothing else."""

import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from support.daemons import BOUND_S, clean_environ, endpoints, running_daemon
from support.trees import copied_tree

pytestmark = pytest.mark.long

INSTALL_S = 600.0
"""An index may be slow, and botocore is large."""


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source distribution, built of a copy of this tree."""
    folder = tmp_path_factory.mktemp("sdist")
    tools = folder / "tools"
    subprocess.run([sys.executable, "-m", "venv", tools], check=True, timeout=INSTALL_S)
    pip = [tools / "bin" / "pip", "install", "--quiet", "setuptools>=77"]
    subprocess.run(pip, check=True, timeout=INSTALL_S)
    build = "from setuptools.build_meta import build_sdist; import sys; build_sdist(sys.argv[1])"
    subprocess.run(
        [tools / "bin" / "python", "-W", "error::UserWarning", "-c", build, str(folder)],
        cwd=copied_tree(folder / "tree"),
        check=True,
        timeout=INSTALL_S,
        stdout=subprocess.DEVNULL,
    )
    (file,) = folder.glob("botod-*.tar.gz")
    return file


@pytest.fixture(scope="module")
def environment(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clean environment with the wheel that is made of the source distribution."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "venv", folder / "v"], check=True, timeout=INSTALL_S)
    pip = folder / "v" / "bin" / "pip"
    made = [pip, "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, sdist]
    subprocess.run(made, check=True, timeout=INSTALL_S)
    (wheel,) = folder.glob("botod-*.whl")
    subprocess.run([pip, "install", "--quiet", wheel], check=True, timeout=INSTALL_S)
    return folder / "v"


def said(environment: Path, *words: str, status: int = 0) -> str:
    """What the installed command prints."""
    done = subprocess.run(
        [environment / "bin" / "botod", *words],
        capture_output=True,
        text=True,
        timeout=BOUND_S,
        check=False,
        env=clean_environ(environment),
        cwd="/",
    )
    assert done.returncode == status, done.stderr
    return done.stdout


def test_what_the_source_distribution_has(sdist: Path) -> None:
    """All that a package is built and tested with; nothing that is made."""
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {
        "Makefile", "CHANGELOG.md", "LICENSE", "daemon/botod", "docs/policy.md", "docs/man/botod.8",
        "etc/botod.toml", "etc/completions/botod", "examples/client.sh", "packaging/deb/control",
        "tests/conftest.py", "ipc/PROTOCOL.md",
    } <= names  # fmt: skip
    assert not [name for name in names if name.endswith(".pyc") or name.startswith(".venv")]


def test_the_commands(environment: Path) -> None:
    """Help, the shipped files, and that no daemon is there."""
    assert "usage: botod" in said(environment, "--help")
    assert "usage: botod call" in said(environment, "call", "--help")
    said(environment, "call", "--socket", "/no/such.sock", "botod.ping", status=3)
    unit = said(environment, "systemd-unit")
    assert f"ExecStart={environment}/bin/botod run" in unit
    assert f"command = {environment}/bin/botod run" in said(environment, "supervisor-conf")
    assert "[profile.default]" in said(environment, "config", "show")


def test_the_files_beside_it(environment: Path) -> None:
    """Configuration in the package, manuals and completion where man and shells look."""
    (package,) = environment.glob("lib/python3.*/site-packages/botod")
    for name in ("etc/botod.toml", "etc/botod.service", "etc/supervisord.conf", "ipc/PROTOCOL.md"):
        assert (package / name).is_file()
    for name in ("dashboard.html", "dashboard.js", "dashboard.css"):
        assert (package / "daemon" / "metrics" / name).is_file()
    said(environment, "config", "check", str(package / "etc" / "botod.toml"))
    for name in ("man/man1/botod.1", "man/man5/botod.toml.5", "man/man8/botod.8"):
        assert (environment / "share" / name).is_file()
    assert (environment / "share/bash-completion/completions/botod").is_file()
    assert not (package / "etc" / "__init__.py").exists()


def test_it_is_asked_by_its_own_command(environment: Path) -> None:
    """A daemon answers it, as it does those of this tree."""
    with running_daemon(endpoints(1)) as daemon:
        answer = said(environment, "call", "--socket", daemon.socket_path, "botod.ping")
        assert f'"pid": {daemon.process.pid}' in answer


def test_it_runs(environment: Path, tmp_path: Path) -> None:
    """The daemon of that environment starts, answers and ends."""
    config = tmp_path / "botod.toml"
    path = f"/tmp/botod-wheel-{tmp_path.stat().st_ino}.sock"
    config.write_text(f'[daemon]\nsocket = "{path}"\n')
    daemon = subprocess.Popen(
        [environment / "bin" / "botod", "run", "--config", config],
        env=clean_environ(tmp_path),
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert daemon.stderr is not None
        for line in daemon.stderr:
            if "listening on" in line:
                break
        assert f'"pid": {daemon.pid}' in said(environment, "call", "--socket", path, "botod.ping")
        daemon.terminate()
        daemon.communicate(timeout=BOUND_S)
    finally:
        daemon.kill()
    assert daemon.returncode == 0
