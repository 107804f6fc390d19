"""The command `botod` as it is installed: bare for `call`, in the usual way for all others."""

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from support.daemons import BOUND_S, Daemon
from support.tools import tool

SOURCE = Path(__file__).parents[3]
VERSION = f"python{sys.version_info.major}.{sys.version_info.minor}"

SLOW_TO_IMPORT = {
    "_collections_abc", "argparse", "collections", "contextlib", "enum", "json", "os", "re", "site",
    "typing",
}  # fmt: skip
"""And whatever imports one of these, such as socket."""


def said(*command: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    """What a command says."""
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=BOUND_S,
        check=False,
        env={**os.environ, **environ},
        cwd="/",
    )


def installed(folder: Path, package: str) -> Path:
    """Another environment with the script, and the package where `package` says; no pip in it."""
    venv.create(folder, symlinks=True)
    library = folder / "lib" / VERSION / "site-packages"
    script = folder / "bin" / "botod"
    script.write_bytes((SOURCE / "daemon" / "botod").read_bytes())
    script.chmod(0o755)
    if package == "in site-packages":
        (library / "botod").mkdir()
        for name in ("daemon", "ipc"):
            (library / "botod" / name).symlink_to(SOURCE / name)
    elif package == "editable":
        (library / "botod-1.dist-info").mkdir()
        told = f'{{"dir_info": {{"editable": true}}, "url": "file://{SOURCE}"}}'
        (library / "botod-1.dist-info" / "direct_url.json").write_text(told)
    else:
        elsewhere = folder / "elsewhere" / "botod"
        elsewhere.mkdir(parents=True)
        for name in ("daemon", "ipc"):
            (elsewhere / name).symlink_to(SOURCE / name)
        (library / "elsewhere.pth").write_text(str(elsewhere.parent))
    return script


@pytest.mark.parametrize("package", ["in site-packages", "editable", "found by a .pth"])
def test_it_finds_the_package(daemon: Daemon, tmp_path: Path, package: str) -> None:
    """However it was installed, and through a link to the script as well."""
    script = installed(tmp_path / "there", package)
    link = tmp_path / "link"
    link.symlink_to(script)
    for path in (script, link):
        done = said(str(path), "call", "botod.ping", BOTOD_SOCKET=daemon.socket_path)
        assert (done.returncode, done.stderr) == (0, "")
        assert f'"pid": {daemon.process.pid}' in done.stdout


@pytest.mark.parametrize("package", ["in site-packages", "editable"])
def test_a_call_imports_next_to_nothing(daemon: Daemon, tmp_path: Path, package: str) -> None:
    """Each of these modules would cost milliseconds, and a call takes few."""
    script = installed(tmp_path / "there", package)
    python = script.parent / "python3"
    python.unlink()
    python.write_text(f'#!/bin/sh\nexec {sys.executable} -X importtime "$@"\n')
    python.chmod(0o755)
    words = ("call", "s3.get_object", "Bucket=photos", "Key=none", "N:=[1]")
    done = said(str(script), *words, BOTOD_SOCKET=daemon.socket_path)
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "botod.daemon.commands.call_wire" in imported
    assert imported.isdisjoint(SLOW_TO_IMPORT)
    ours = {name for name in imported if name.startswith("botod.")}
    commands = "botod.daemon.commands"
    assert ours == {f"{commands}.call", f"{commands}.call_wire"}


@pytest.mark.parametrize("url", ["https://example.com/botod.git", "file://elsewhere/botod"])
def test_a_package_of_elsewhere_is_not_looked_for_here(tmp_path: Path, url: str) -> None:
    """The folder that the caller is in may be anybody's."""
    script = installed(tmp_path, "editable")
    (told,) = tmp_path.glob("lib/*/site-packages/*/direct_url.json")
    told.write_text(f'{{"url": "{url}"}}')
    for name in ("{", "elsewhere/botod"):
        commands = tmp_path / name / "daemon" / "commands"
        commands.mkdir(parents=True)
        (commands / "call.py").write_text("print('anybody')")
    done = subprocess.run(
        [script, "call", "botod.ping"],
        capture_output=True, text=True, timeout=BOUND_S, check=False, cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": ""},  # what is compiled is in a package botod, too
    )  # fmt: skip
    assert "anybody" not in done.stdout
    assert "No module named 'botod'" in done.stderr


def test_what_is_installed_here_is_the_source() -> None:
    """The script has to be installed again after a change."""
    script = Path(tool("botod")).read_bytes()
    assert script == (SOURCE / "daemon" / "botod").read_bytes()


def test_the_others_start_as_usual() -> None:
    """With the parser of the whole command."""
    assert "COMMAND" in said(tool("botod"), "--help").stdout
    done = said(tool("botod"), "status", "--socket", "/no/such.sock")
    assert done.returncode == 3
    assert said(tool("botod"), "none").returncode == 2
