"""boto's tests, out of its source distribution.

The wheel has none, so the source distribution is fetched through pip, as pip is configured on this
machine, and kept in $BOTOD_TEST_CACHE. Nothing of it is part of this repository.
"""

import hashlib
import os
import subprocess
import sys
import tarfile
from pathlib import Path

SDIST = "boto-2.49.0.tar.gz"
SHA256 = "ea0d3b40a2d852767be77ca343b58a9e3a4b00d9db440efb8da74b4e58025e5a"
CACHE = Path(os.environ.get("BOTOD_TEST_CACHE") or Path(sys.prefix, "cache"))
DOWNLOAD_TIMEOUT_S = 300.0

PARTS = ("tests/__init__.py", "tests/compat.py", "tests/unit/", "tests/integration/")
"""Some unit tests import fakes from the integration tests."""


def extract_tests(folder: Path) -> Path:
    """The tests alone, without the boto beside them: they are to run over the installed one."""
    root = "boto-2.49.0/"
    with tarfile.open(_fetched()) as archive:
        wanted = [
            member
            for member in archive.getmembers()
            if member.name.removeprefix(root).startswith(PARTS)
        ]
        archive.extractall(folder, wanted, filter="data")
    return folder / root


def _fetched() -> Path:
    path = CACHE / SDIST
    if not path.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        _fetch()
    if hashlib.sha256(path.read_bytes()).hexdigest() != SHA256:
        raise SystemExit(f"{path} is not boto's source distribution")
    return path


def _fetch() -> None:
    requirements = CACHE / "boto-sdist.txt"
    # With the hash there, pip checks it before it runs the setup.py inside.
    requirements.write_text(f"boto==2.49.0 --hash=sha256:{SHA256}\n")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary=boto"]
    subprocess.run(
        [*command, "--dest", str(CACHE), "--requirement", str(requirements)],
        check=True,
        timeout=DOWNLOAD_TIMEOUT_S,
    )
