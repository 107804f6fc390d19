"""The direction of imports: pool and ipc know neither each other nor the daemon."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MAY_IMPORT = {"pool": {"pool"}, "ipc": {"ipc"}, "daemon": {"pool", "ipc", "daemon"}}
CLIENTS_MODULES = ("ipc/client.py", "ipc/protocol.py", "ipc/markers.py", "ipc/errors.py")
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
    assert our_packages(ROOT / "daemon/worker.py") == {"pool", "ipc", "daemon"}


@pytest.mark.parametrize("package", ["pool", "ipc"])
def test_errors_import_nothing_of_ours(package: str) -> None:
    """So every module may import them, and no cycle begins there."""
    assert our_packages(ROOT / package / "errors.py") == set()


@pytest.mark.parametrize("name", CLIENTS_MODULES)
def test_the_client_needs_the_standard_library_only(name: str) -> None:
    """Other programs import it."""
    for module in imported(ROOT / name):
        top = module.partition(".")[0]
        assert top == "botod" or top in sys.stdlib_module_names, module


def test_the_client_loads_nothing_else() -> None:
    """What importing it really brings in: no Tornado, curl, greenlet, boto or event loop."""
    code = "import botod.ipc, sys; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    output = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout
    loaded = set(output.split())
    assert "botod" in loaded
    assert not loaded & {"tornado", "pycurl", "greenlet", "boto", "certifi", "asyncio"}
