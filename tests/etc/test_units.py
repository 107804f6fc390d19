"""systemd takes the units in etc/, finds them hardened, and makes the user and the folder."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from botod.daemon.commands.run import KILL_AFTER_S
from botod.daemon.config import Config
from botod.daemon.service import ANSWER_TIMEOUT_S
from support.tools import tool

ETC = Path(__file__).parents[2] / "etc"
UNITS = ["botod.service", "botod.socket", "botod@.service", "botod@.socket"]
SERVICES = [name for name in UNITS if name.endswith(".service")]
INSTALLED = "/usr/local/bin/botod"
EXPOSURE_MAX = 2.0


def installed(folder: Path) -> None:
    """All units in a folder, with the command as it is installed here."""
    for name in UNITS:
        text = (ETC / name).read_text(encoding="utf-8").replace(INSTALLED, tool("botod"))
        (folder / name).write_text(text, encoding="utf-8")


def analyzed(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """What systemd-analyze says in a folder."""
    return subprocess.run(
        [tool("systemd-analyze"), *words],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def verified(folder: Path, name: str) -> "subprocess.CompletedProcess[str]":
    """What it says of a unit; of a template, of one that is made from it."""
    return analyzed(folder, "verify", "--recursive-errors=yes", f"./{name.replace('@', '@orders')}")


@pytest.mark.parametrize("name", UNITS)
def test_systemd_takes_the_unit(name: str, tmp_path: Path) -> None:
    """Every line is known; the command is where it is installed here."""
    installed(tmp_path)
    done = verified(tmp_path, name)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("line", "mistake"),
    [("Type=notify", "Type=notifies"), (tool("botod"), "/nowhere/botod"), ("PrivateT", "PrivatT")],
)
def test_the_check_sees_a_mistake(line: str, mistake: str, tmp_path: Path) -> None:
    """A wrong value, a command that is not there, an unknown setting: each is told."""
    installed(tmp_path)
    file = tmp_path / "botod.service"
    file.write_text(file.read_text(encoding="utf-8").replace(line, mistake), encoding="utf-8")
    assert verified(tmp_path, "botod.service").stderr


@pytest.mark.parametrize("name", SERVICES)
def test_it_is_hardened(name: str, tmp_path: Path) -> None:
    """By systemd's own rating, where less is better, and without making strangers of all peers."""
    installed(tmp_path)
    done = analyzed(tmp_path, "security", "--offline=true", f"./{name.replace('@', '@orders')}")
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    assert found, done.stdout + done.stderr
    assert float(found[1]) < EXPOSURE_MAX
    assert "PrivateUsers=yes" not in (tmp_path / name).read_text(encoding="utf-8")


def test_the_drop_in_changes_the_way_of_a_reload(tmp_path: Path) -> None:
    """An older systemd does not know the type, and says so: hence it stands apart."""
    installed(tmp_path)
    folder = tmp_path / "botod.service.d"
    folder.mkdir()
    name = "notify-reload.conf"
    (folder / name).write_text((ETC / "botod.service.d" / name).read_text(encoding="utf-8"))
    version = int(analyzed(tmp_path, "--version").stdout.split()[1])
    stderr = verified(tmp_path, "botod.service").stderr
    assert ("notify-reload" in stderr) == (version < 253)


def test_templates_have_what_the_single_units_have() -> None:
    """But for the names."""
    for kind in ("service", "socket"):
        single, template = (
            re.findall(r"^[^#\n].*$", (ETC / f"botod{at}.{kind}").read_text(), re.MULTILINE)
            for at in ("", "@")
        )
        named = [line for line in template if "%i" not in line and "DefaultInst" not in line]
        missing = [line for line in named if line not in single and "@" not in line]
        assert not missing
        assert len(single) == len([line for line in template if "DefaultInst" not in line])


def test_whoever_waits_for_the_end_waits_long_enough() -> None:
    """For the drain, the last answers, and a worker that has to be killed."""
    takes_s = Config().daemon.drain_timeout_s + ANSWER_TIMEOUT_S + KILL_AFTER_S
    for file, setting in (
        ("botod.service", "TimeoutStopSec="),
        ("botod@.service", "TimeoutStopSec="),
        ("supervisord.conf", "stopwaitsecs = "),
    ):
        found = re.search(f"^{setting}(\\d+)", (ETC / file).read_text(), re.MULTILINE)
        assert found
        assert int(found[1]) >= takes_s


@pytest.mark.skipif(os.geteuid() != 0, reason="makes a user, in a tree of its own")
def test_the_user_and_the_runtime_directory(tmp_path: Path) -> None:
    """Made as at a boot; only the daemon may write there."""
    (tmp_path / "etc").mkdir()
    for command, name in (
        (["systemd-sysusers"], "botod.sysusers.conf"),
        (["systemd-tmpfiles", "--create"], "botod.tmpfiles.conf"),
    ):
        file = ETC / name
        words = [tool(command[0]), *command[1:], f"--root={tmp_path}", str(file)]
        done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
    uid = int((tmp_path / "etc/passwd").read_text().split("botod:x:")[1].split(":")[0])
    folder = (tmp_path / "run/botod").stat()
    assert (folder.st_uid, folder.st_mode & 0o777) == (uid, 0o755)
