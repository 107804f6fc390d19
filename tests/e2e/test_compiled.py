"""The distribution botod-compiled, made as docs/install.md has it, and a daemon that runs on it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.daemons import BOUND_S, clean_environ, running_daemon
from support.servers import Servers
from support.trees import copied_tree

pytestmark = pytest.mark.long

BUILD_S = 900.0
"""A hundred seconds on an idle machine."""

MODULES_MIN = 70

IMPORT = """\
import sys, botod.ipc, botod.pool
print(*(name for name in sys.modules if "compiled" in name or "__mypyc" in name))
print(sys.modules["botod.ipc.framing"].__file__)
"""


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where it is installed."""
    folder = tmp_path_factory.mktemp("compiled")
    tree = copied_tree(folder / "tree")
    install = ("install", "--quiet", "--no-deps", "--target", str(folder / "there"))
    pip = (sys.executable, "-m", "pip", *install, str(tree / "compiled"))
    subprocess.run(pip, check=True, timeout=BUILD_S)
    return folder / "there"


def test_a_daemon_runs_on_it(compiled: Path, servers: Servers, tmp_path: Path) -> None:
    """It says so, and does its work."""
    environ = clean_environ(tmp_path, PYTHONPATH=str(compiled))
    config = {"profile": {"default": {"endpoints": servers._asdict()}}}
    with running_daemon(config, environ) as daemon:
        number = daemon.wait_for_line("modules are compiled").split(" modules")[0].split()[-1]
        assert int(number) >= MODULES_MIN
        with daemon.connect() as connection:
            client = connection.client("s3")
            client.create_bucket(Bucket="compiled")
            client.put_object(Bucket="compiled", Key="k", Body=b"milk")
            assert client.get_object(Bucket="compiled", Key="k")["Body"].read() == b"milk"
        maps = Path(f"/proc/{daemon.process.pid}/maps").read_text()
        assert "__mypyc" in maps


def test_who_imports_the_client_loads_none_of_it(compiled: Path) -> None:
    """Nor who has the pool in his own process: only who asks."""
    done = subprocess.run(
        [sys.executable, "-c", IMPORT],
        env={**os.environ, "PYTHONPATH": str(compiled)},
        capture_output=True,
        text=True,
        timeout=BOUND_S,
        check=True,
    )
    assert done.stdout.splitlines()[0] == ""
    assert done.stdout.splitlines()[1].endswith("ipc/framing.py")
