"""`botod config`: what is wrong in a file, and what holds."""

import json
import tomllib
from pathlib import Path

import pytest

from botod.daemon.commands.config import main
from botod.daemon.config import Config
from botod.daemon.config_text import tables_of

GOOD = '[profile.other]\nproxy = "http://ann:hunter2@10.0.0.1:3128"\n'
BAD = '[daemon]\nspeed = 1\njob_timeout_s = 0\n[[policy]]\nallow = ["sqs.*"]\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A configuration's name."""
    return tmp_path / "botod.toml"


def test_a_good_file(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Status 0, and what was read."""
    file.write_text(GOOD)
    assert main(["check", str(file)]) == 0
    assert capsys.readouterr().out == f"{file}: good: 2 profiles, 0 rules\n"
    assert main(["check", "--json", str(file)]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "file": str(file), "good": True, "mistakes": [],
    }  # fmt: skip


def test_a_bad_file(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Status 78, and all mistakes, a line each, on standard error; as JSON on standard output."""
    file.write_text(BAD)
    assert main(["check", str(file)]) == 78
    out, err = capsys.readouterr()
    mistakes = err.splitlines()
    assert out == ""
    assert len(mistakes) == 3
    for words in ("speed: unknown setting", "job_timeout_s = 0: ", "for whom?"):
        assert words in err
    assert main(["check", str(file), "--json"]) == 78
    out, err = capsys.readouterr()
    assert (json.loads(out)["mistakes"], err) == (mistakes, "")


def test_what_a_change_needs(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A reload does for some settings, others hold after a restart only."""
    old = file.with_name("old.toml")
    old.write_text("[daemon]\nworkers = 2\n")
    file.write_text('[daemon]\nworkers = 3\nlog_level = "warning"\n' + GOOD)
    assert main(["check", str(file), "--running", str(old)]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == [
        "after a reload: [daemon] log_level, [profile.other]",
        "after a restart: [daemon] workers",
    ]
    assert main(["check", str(file), "--running", str(file)]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == ["nothing differs"]
    assert main(["check", str(file), "--running", str(old), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["restart"] == ["[daemon] workers"]
    assert main(["check", str(file), "--running", "/no/such.toml"]) == 78


def test_no_file(capsys: pytest.CaptureFixture[str]) -> None:
    """It is a mistake like any other."""
    assert main(["check", "/no/such.toml"]) == 78
    assert main(["show", "--config", "/no/such.toml"]) == 78
    assert capsys.readouterr().err == 2 * "/no/such.toml: No such file or directory\n"


def test_what_holds(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As TOML or as JSON the same, without passwords."""
    file.write_text(GOOD)
    assert main(["show", "--config", str(file)]) == 0
    text = capsys.readouterr().out
    assert main(["show", "--config", str(file), "--json"]) == 0
    tables = json.loads(capsys.readouterr().out)
    assert tomllib.loads(text) == {name: table for name, table in tables.items() if table}
    assert tables["profile"]["other"]["proxy"] == "http://ann:***@10.0.0.1:3128"


@pytest.mark.parametrize("words", [["show"], ["show", "--defaults"]])
def test_the_defaults(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """What holds without a file."""
    assert main([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == tables_of(Config())


def test_not_both(capsys: pytest.CaptureFixture[str]) -> None:
    """A file, or the defaults."""
    with pytest.raises(SystemExit):
        main(["show", "--defaults", "--config", "x"])
    assert "not allowed with" in capsys.readouterr().err
