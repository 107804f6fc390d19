"""The direction of imports: pool and ipc know neither each other nor the daemon."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MAY_IMPORT = {"pool": {"pool"}, "ipc": {"ipc"}, "daemon": {"pool", "ipc", "daemon"}}
SLOW = {
    "asyncio",
    "base64",
    "contextlib",
    "dataclasses",
    "inspect",
    "json",
    "logging",
    "pathlib",
    "random",
    "re",
    "selectors",
    "socket",
    "struct",
    "tempfile",
    "threading",
    "typing",
    "urllib",
}
"""What the client can do without: each takes longer to import than a file of its own."""

CLIENT = (
    f"import sys; botod = type(sys)('botod'); botod.__path__ = [{str(ROOT)!r}];"
    "sys.modules['botod'] = botod; before = set(sys.modules); import botod.ipc;"
    "print(*sorted(set(sys.modules) - before))"
)
"""Imports the client in a bare Python, and says what came with it."""

OUR_FILES = [
    path
    for package in MAY_IMPORT
    for path in sorted((ROOT / package).rglob("*.py"))
]  # fmt: skip


def imported(path: Path) -> Iterator[str]:
    """The names of all modules that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            yield node.module or ""


def our_packages(path: Path) -> set[str]:
    """Which of our packages a file imports from."""
    names = (name.split(".") for name in imported(path))
    return {parts[1] for parts in names if parts[0] == "botod" and len(parts) > 1}


@pytest.mark.parametrize("path", OUR_FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_imports_only_what_its_package_may_know(path: Path) -> None:
    """pool/ knows nothing of jobs, peers or configuration, ipc/ nothing of AWS and the pool."""
    package = path.relative_to(ROOT).parts[0]
    assert our_packages(path) <= MAY_IMPORT[package]


def test_the_check_sees_an_import() -> None:
    """The daemon's files do import from the others, so an empty answer would be a broken check."""
    assert our_packages(ROOT / "daemon/runner.py") == {"pool", "ipc", "daemon"}


@pytest.mark.parametrize("package", ["pool", "ipc"])
def test_errors_import_nothing_of_ours(package: str) -> None:
    """So every module may import them, and no cycle begins there."""
    assert our_packages(ROOT / package / "errors.py") == set()


def brought() -> set[str]:
    """The modules that come with the client. Without site: its own imports would hide some."""
    python = [sys.executable, "-I", "-S", "-c", CLIENT]
    return set(subprocess.run(python, check=True, capture_output=True, text=True).stdout.split())


def test_the_client_needs_the_standard_library_only() -> None:
    """Other programs import it: neither Tornado, curl, greenlet nor boto comes with it."""
    modules = brought()
    assert "botod.ipc.client" in modules
    assert {name.partition(".")[0] for name in modules} <= {"botod"} | sys.stdlib_module_names


def test_the_client_loads_nothing_that_is_slow() -> None:
    """A script that asks once pays for each import (`make bench WORK=one-shot`)."""
    assert not brought() & SLOW


def test_the_client_loads_nothing_of_the_daemons_side() -> None:
    """Of the wire it has its own half, and what both ends share."""
    ours = {name for name in brought() if name.startswith("botod.ipc.")}
    theirs = ("aio", "descriptors", "peer", "session", "streams")
    assert not ours & {f"botod.ipc.{name}" for name in theirs}
    assert len(ours) <= 23, "each file costs a fifth of a millisecond: is the new one needed?"
