"""Whether a process imports compiled modules: with those of a package that says what it is of."""

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support.daemons import BOUND_S, clean_environ, running_daemon
from support.trees import ROOT

SOURCE = ROOT / "daemon/names.py"
MODULE = "botod.daemon.names"
ASK = f"""\
from botod.daemon.compiled_code import use_compiled_code
print(*use_compiled_code(), sep="|")
import {MODULE}
print({MODULE}.__file__)
"""


def package(folder: Path, digest: str, module: str = MODULE) -> Path:
    """The package, without any library: what is not in it is imported as it was."""
    inside = folder / "botod/compiled"
    shutil.copytree(ROOT / "compiled/botod/compiled", inside)
    (inside / "made_of.json").write_text(json.dumps({module: digest}))
    return folder


def asked(folder: Path, code: str = ASK) -> list[str]:
    """What comes of it, and where the module was found then."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=clean_environ(folder, PYTHONPATH=str(folder)),
        capture_output=True,
        text=True,
        timeout=BOUND_S,
        check=True,
    )
    return done.stdout.splitlines()


def test_without_the_package_all_is_interpreted(tmp_path: Path) -> None:
    """Which is nothing to tell of."""
    assert asked(tmp_path) == ["0|", str(SOURCE)]


def test_what_was_made_of_these_sources_is_used(tmp_path: Path) -> None:
    """Their number is told; a file that is not there is no library, so this one is imported."""
    digest = hashlib.sha256(SOURCE.read_bytes()).hexdigest()
    assert asked(package(tmp_path, digest)) == ["1|", str(SOURCE)]


def test_what_was_made_of_others_is_not_used(tmp_path: Path) -> None:
    """It would do what the sources did then."""
    told, found = asked(package(tmp_path, "0" * 64))
    assert told == f"0|{SOURCE} is not what was compiled"
    assert found == str(SOURCE)


def test_a_module_that_is_gone(tmp_path: Path) -> None:
    """As of a version before."""
    told, _found = asked(package(tmp_path, "0" * 64, "botod.daemon.gone"))
    assert told == f"0|{ROOT / 'daemon/gone.py'} is not what was compiled"


def test_too_late(tmp_path: Path) -> None:
    """Part of a program would be compiled then, and part of it not."""
    folder = package(tmp_path, hashlib.sha256(SOURCE.read_bytes()).hexdigest())
    told, _found = asked(folder, f"import {MODULE}\n{ASK}")
    assert told == f"0|{MODULE} was imported before"


@pytest.mark.parametrize("is_of_these", [True, False])
def test_the_daemon_says_which_it_is(tmp_path: Path, *, is_of_these: bool) -> None:
    """In a line of its log: information, or a warning that says what to do."""
    digest = hashlib.sha256(SOURCE.read_bytes()).hexdigest() if is_of_these else "0" * 64
    environ = clean_environ(tmp_path, PYTHONPATH=str(package(tmp_path / "p", digest)))
    words = "1 modules are compiled" if is_of_these else "install botod and botod-compiled anew"
    with running_daemon({}, environ, expected=(words,)) as daemon:
        line = daemon.wait_for_line(words)
        assert ("WARNING" in line) is not is_of_these
