"""Commands in docs/: each block in a fence is run, or says why not."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from botod.daemon.cli import COMMANDS
from support.daemons import KEYS, NO_METADATA, endpoints, running_daemon
from support.http_server import http_server
from support.tools import BIN
from support.trees import ROOT, copied_tree

BOUND_S = 600.0
"""An index may be slow."""

PAGES = sorted(ROOT.glob("docs/*.md"))
BLOCK = re.compile(r"(?:^<!-- not run: ([^\n]+) -->\n)?^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)


WITH_DAEMON = ("console.md", "troubleshooting.md", "tuning.md", "upgrade.md")


def blocks(page: Path) -> list[tuple[str, str]]:
    """The blocks of a page, with why they are not run; empty: they are."""
    return BLOCK.findall(page.read_text(encoding="utf-8"))


def run(page: Path, folder: Path, **environ: str) -> None:
    """Run a page's blocks in one shell, as a person does who reads it."""
    script = "\n".join(text for why, text in blocks(page) if not why)
    assert script
    done = subprocess.run(
        ["bash", "-e", "-u", "-o", "pipefail", "-c", script],
        env={"PATH": f"{BIN}:{os.environ['PATH']}", "HOME": str(folder), **environ},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=BOUND_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_why_a_block_is_not_run() -> None:
    """It needs what no test has; pages without such words are run below."""
    assert {page.name for page in PAGES if any(not why for why, _text in blocks(page))} == {
        *WITH_DAEMON, "install.md",
    }  # fmt: skip
    reasons = {why for page in PAGES for why, _text in blocks(page) if why}
    assert all(why.startswith(("needs ", "tests/")) for why in reasons)
    for why in reasons:
        if why.startswith("tests/"):
            assert (ROOT / why.partition(" ")[0]).is_file()


def test_commands_that_are_not_run_are_commands() -> None:
    """Each word after botod in a block is one of its commands; each line is one of a shell's."""
    for page in PAGES:
        for _why, text in blocks(page):
            called = re.findall(r"(?:^|(?<!-u)[ /;'])botod ([a-z][a-z-]*)", text, re.MULTILINE)
            assert set(called) <= {*COMMANDS}, page
            subprocess.run(["bash", "-n", "-c", text], check=True, timeout=BOUND_S)


@pytest.mark.parametrize("name", WITH_DAEMON)
def test_commands_for_a_daemon_that_runs(name: str) -> None:
    """They find it by $BOTOD_SOCKET, and its configuration by $BOTOD_CONFIG."""
    with http_server() as server, running_daemon(endpoints(server.port)) as daemon:
        run(
            ROOT / "docs" / name,
            daemon.folder,
            BOTOD_SOCKET=daemon.socket_path,
            BOTOD_CONFIG=str(daemon.folder / "botod.toml"),
            **KEYS,
            **NO_METADATA,
        )


@pytest.mark.long
def test_installing_under_supervisor() -> None:
    """From a copy of this tree, in a home of its own: it answers and ends."""
    name = f"/tmp/botod-home-{os.getpid()}"  # a socket's path is short
    folder = Path(name)
    folder.mkdir()
    try:
        tree = copied_tree(folder / "tree")
        page = ROOT / "docs" / "install.md"
        script = "cd tree\n" + "\n".join(text for why, text in blocks(page) if not why)
        done = subprocess.run(
            ["bash", "-e", "-u", "-c", script],
            env={"PATH": f"{BIN}:{os.environ['PATH']}", "HOME": name, **KEYS, **NO_METADATA},
            cwd=tree.parent,
            capture_output=True,
            text=True,
            timeout=BOUND_S,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert '"version"' in done.stdout
        assert re.search(r"^botod\S* +(STARTING|RUNNING)", done.stdout, re.MULTILINE)
    finally:
        subprocess.run(["rm", "-rf", name], check=True)
