"""The command line of `botod cp`: what it takes, and what it says of the rest."""

import subprocess
import sys
from pathlib import Path

import pytest

from botod.daemon.commands.cp import JOBS_MAX, main
from support.copying import cp

HEAVY = ("tornado", "boto", "pycurl", "greenlet")


def test_help_says_how_and_imports_no_daemon() -> None:
    """What the daemon is made of takes longer to import than a file to copy."""
    code = (
        "import sys\n"
        "from botod.daemon.cli import main\n"
        "try: main(['cp', '--help'])\n"
        "finally: sys.stderr.write(' '.join(sys.modules))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    for word in ("--recursive", "links are followed", "exit status", "s3://bucket/key"):
        assert word in done.stdout
    loaded = {name.partition(".")[0] for name in done.stderr.split()}
    assert "asyncio" in loaded
    assert loaded.isdisjoint(HEAVY)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ([], "required: SOURCE, TARGET"),
        (["a"], "required: TARGET"),
        (["a", "b"], "source or target has to be s3://"),
        (["-", "-"], "source or target has to be s3://"),
        (["-r", "a", "b"], "source or target has to be s3://"),
        (["", "s3://b/k"], "a name is empty"),
        (["s3://", "x"], "names no bucket"),
        (["s3://b", "x"], "names no key; give -r"),
        (["-", "s3://b/folder/"], "- has no name"),
        (["s3://b/folder/", "s3://b/"], "has no name"),
        (["-r", "-", "s3://b/k"], "leave out -r"),
        (["-r", "s3://b/k", "-"], "leave out -r"),
        (["-r", "s3://b/a", "s3://b/a/b"], "is in s3://b/a"),
        (["-r", "s3://b", "s3://b/a"], "is in s3://b/"),
        ([".", "s3://b/k"], "is a folder; give -r"),
        (["-r", "/etc/hostname", "s3://b/k"], "no folder; leave out -r"),
        (["--content-type", "a/b", "s3://b/k", "x"], "for uploads"),
        (["--jobs", "0", "a", "s3://b/k"], "not a number from 1"),
        (["--jobs", str(JOBS_MAX + 1), "a", "s3://b/k"], "not a number from 1"),
        (["--jobs", "x", "a", "s3://b/k"], "not a number from 1"),
        (["--none", "a", "s3://b/k"], "--none"),
    ],
)
def test_wrong_usage_is_said_before_a_daemon_is_asked(
    words: list[str], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """With status 2, and what would be right."""
    try:
        status: object = main([*words, "--socket", "/no/such.sock"])
    except SystemExit as error:
        status = error.code
    out, err = capsys.readouterr()
    assert (status, out) == (2, "")
    assert why in err


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["-r", "none", "s3://b/k"], "No such file"),
        (["s3://b/k", "none/"], "there is no such folder"),
        (["-r", "s3://b/k", "none/deeper"], "no folder to make it in"),
        (["-r", "s3://b/k", "/etc/hostname"], "no folder"),
        (["/etc/hostname/", "s3://b/k"], "no folder, though"),
        (["s3://b/x/..", "."], "leads to other folders"),
        (["s3://b/x/", "."], "it has no name"),
    ],
)
def test_what_cannot_be_is_said_before_a_daemon_is_asked(
    words: list[str], why: str, tmp_path: Path
) -> None:
    """Of folders that are not there, and names that are none: status 1."""
    done = cp(*words, "--socket", "/no/such.sock", cwd=tmp_path)
    assert (done.status, done.out, len(done.lines)) == (1, b"", 1)
    assert why in done.err
    assert not list(tmp_path.iterdir())


def test_nothing_else_gets_the_number_of_what_is_closed() -> None:
    """Or a line for a person would be written into a connection."""
    code = "import os; from botod.daemon.commands.cp import _no_gaps; _no_gaps(); os.fstat(2)"
    script = f"{sys.executable} -c '{code}; os.fstat(1); os.fstat(0)' <&- >&- 2>&-"
    assert subprocess.run(["sh", "-c", script], check=False).returncode == 0


@pytest.mark.parametrize("words", [[], ["-r"]])
def test_without_a_daemon(words: list[str], tmp_path: Path) -> None:
    """Status 3, one line that says what to do."""
    source = tmp_path if words else tmp_path / "x"
    (tmp_path / "x").touch()
    done = cp(*words, source, "s3://b/k", "--socket", "/no/such.sock")
    assert (done.status, len(done.lines)) == (3, 1)
    assert "no daemon answers at /no/such.sock" in done.err
    assert "botod run" in done.err
