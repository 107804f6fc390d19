"""Commands in README and docs/: each is run, or the page says why not, for its reader to see."""

import contextlib
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from botod.daemon.cli import COMMANDS
from botod.daemon.commands.demo import server
from support.daemons import KEYS, NO_METADATA, running_daemon
from support.documents import blocks
from support.tools import BIN
from support.trees import ROOT, copied_tree

BOUND_S = 600.0
"""An index may be slow."""

PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md"))]
FENCE = re.compile(r"^```(\w*)\n.*?^```$", re.MULTILINE | re.DOTALL)
LANGUAGES = {"sh", "console", "python", "toml", "json", "text", "yaml"}

INSTALL = "install.md"
"""What is left unmarked there is run in a home of its own, as it installs things."""

HERE = [
    page.name
    for page in PAGES
    if page.name != INSTALL and any(not block.mark for block in blocks(page))
]

BEFORE = {
    "cp.md": """
mkdir photos; echo one > photo.jpg; cp photo.jpg photos; pg_dump() { echo rows; }; psql() { cat; }
for name in bucket other; do botod call s3.create_bucket Bucket=$name > made; done
""",
}
"""What a page takes for given, in the words of a shell."""


def run(script: str, folder: Path, **environ: str) -> str:
    """What a script prints, each line of which has to do well."""
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
    return done.stdout


def unmarked(page: Path) -> str:
    """What a page has its reader type, but for what another test runs, or none can."""
    return "\n".join(line for block in blocks(page) if not block.mark for line in block.commands)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_stand_in_fences(page: Path) -> None:
    """Each fence says what it is in, and no code is merely indented: so none is overlooked."""
    text = page.read_text(encoding="utf-8")
    assert set(FENCE.findall(text)) <= LANGUAGES
    rest = FENCE.sub("", text)
    assert not re.findall(r"^(?:```.*|<!-- not run.*)$", rest, re.MULTILINE)
    assert not re.findall(r"\n\n {4,}\S.*", rest)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_why_a_block_is_not_run(page: Path) -> None:
    """It needs what no test has, or another test runs it, which then names the page."""
    for block in blocks(page):
        named = re.findall(r"tests/[\w/]+\.py", block.mark)
        assert bool(named) or not block.is_run_elsewhere
        for name in named:
            test = (ROOT / name).read_text(encoding="utf-8")
            assert page.name in test or page.stem.upper() in test or not block.is_run_elsewhere
        if block.mark and not block.is_run_elsewhere:
            assert block.mark.startswith("needs ")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_are_commands(page: Path) -> None:
    """Also where they are not run: a shell reads each line, and botod has each command."""
    for block in blocks(page):
        text = "\n".join(block.commands)
        called = re.findall(
            r"^(?:.*[;|&'] *|.* -- |sudo |until )?botod ([a-z][a-z-]*)", text, re.MULTILINE
        )
        assert set(called) <= {*COMMANDS}
        subprocess.run(["bash", "-n", "-c", text], check=True, timeout=BOUND_S)


@pytest.fixture(scope="module")
def aws() -> Iterator[str]:
    """A server that speaks S3 and SQS."""
    with server("botod.daemon.demo.aws") as url:
        yield url


LONG = ("console.md",)
"""A score of commands, each a Python that starts."""


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.long] * (name in LONG)) for name in HERE]
)
def test_commands_for_a_daemon_that_runs(name: str, aws: str, tmp_path: Path) -> None:
    """They find it by $BOTOD_SOCKET, and its configuration by $BOTOD_CONFIG."""
    config = {"profile": {"default": {"endpoints": {"s3": aws, "sqs": aws}}}}
    with running_daemon(config) as daemon:
        (page,) = (page for page in PAGES if page.name == name)
        run(
            f"{BEFORE.get(name, '')}\n{unmarked(page)}",
            tmp_path,
            BOTOD_SOCKET=daemon.socket_path,
            BOTOD_CONFIG=str(daemon.folder / "botod.toml"),
            **KEYS,
            **NO_METADATA,
        )


@contextlib.contextmanager
def home() -> Iterator[Path]:
    """A home of a short name: a socket's path is short."""
    folder = Path(f"/tmp/botod-home-{os.getpid()}")
    folder.mkdir()
    try:
        yield folder
    finally:
        subprocess.run(["rm", "-rf", folder], check=True)


@pytest.mark.long
def test_installing_under_supervisor() -> None:
    """From a copy of this tree, in a home of its own: it answers and ends."""
    with home() as folder:
        copied_tree(folder / "tree")
        script = f"cd tree\n{unmarked(ROOT / 'docs' / INSTALL)}"
        said = run(script, folder, **KEYS, **NO_METADATA)
        assert '"version"' in said
        assert re.search(r"^botod\S* +(STARTING|RUNNING)", said, re.MULTILINE)


def test_installing_takes_under_ten_commands() -> None:
    """Each way: those that a new user types until the daemon runs and was asked."""
    found = blocks(ROOT / "docs" / INSTALL)
    by_systemd, _compiled, by_supervisor, its_first_answer, *_others = found
    assert "doctor" in by_systemd.commands[-1]
    assert len(by_systemd.commands) < 10
    assert "supervisord" in by_supervisor.commands[-1]
    until = [line for line in its_first_answer.commands if "supervisorctl" not in line]
    assert "botod.ping" in until[-1]
    assert len(by_supervisor.commands) + len(until) < 10
