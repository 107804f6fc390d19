"""One job from a shell: what a process costs that asks the daemon once.

Claims: `botod call` starts, reads its words and ends within 5 ms of `python -I -S -c pass`, which
does nothing; `import botod.ipc` takes at most 15 ms, over the same and over a Python with site, in
an environment that has nothing in it: what `pip install -e` leaves in one imports half of what the
client needs before anything is measured. How long a whole job takes stands beside it. Medians of
wall time; `--quick`: fewer runs. Needs nginx.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable
from pathlib import Path

from nginx import running_nginx

from daemon import running_daemon

CLAIM_MS = 5.0
IMPORT_CLAIM_MS = 15.0

BIN = Path(sys.executable).parent
ROOT = Path(__file__).parent.parent
# The package as it lies in the tree: under -S nobody else says where it is.
FOUND = f"import sys; b = sys.modules['botod'] = type(sys)('botod'); b.__path__ = [{str(ROOT)!r}]"
IMPORT = f"{FOUND}; import botod.ipc"
JOB = ("s3.head_object", "Bucket=bucket", "Key=k")


def median_ms(once: Callable[[], object], runs: int) -> float:
    """The median of so many runs, after one that does not count."""
    once()
    took = []
    for _ in range(runs):
        began = time.perf_counter()
        once()
        took.append((time.perf_counter() - began) * 1000)
    return statistics.median(took)


def process(*command: str, status: int = 0) -> Callable[[], object]:
    """Runs a command to its end, which has to have this status."""

    def once() -> None:
        ended = subprocess.run(command, stdout=-3, stderr=-3, stdin=-3, check=False)
        assert ended.returncode == status, f"{command} ended with {ended.returncode}"

    return once


def main() -> int:
    """Print the table; 1 if the claim does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    runs = 40 if parser.parse_args().quick else 200
    botod, python = str(BIN / "botod"), sys.executable
    with (
        running_nginx() as server,
        running_daemon(server) as daemon,
        tempfile.TemporaryDirectory() as folder,
    ):
        venv.create(folder, symlinks=True)
        empty = f"{folder}/bin/python"
        where = ("--socket", daemon.path)
        client = daemon.connect()
        module = (python, "-m", "botod.daemon.cli", "call")
        took = {
            "python -I -S -c pass": process(python, "-I", "-S", "-c", "pass"),
            "python -I -S, import botod.ipc": process(python, "-I", "-S", "-c", IMPORT),
            "python -c pass": process(empty, "-c", "pass"),
            "python, import botod.ipc": process(empty, "-c", IMPORT),
            "botod call, no METHOD: start-up alone": process(botod, "call", status=2),
            "botod call s3.head_object": process(botod, "call", *JOB, *where),
            "python -m botod.daemon.cli call s3.head_object": process(*module, *JOB, *where),
            "s3.head_object on an open connection": lambda: client.ask(
                "s3.head_object", {"Bucket": "bucket", "Key": "k"}
            ),
        }
        medians = {name: median_ms(once, runs) for name, once in took.items()}
    for name, took_ms in medians.items():
        print(f"{name:48} {took_ms:7.2f} ms")
    bare = medians["python -I -S -c pass"]
    start_ms = medians["botod call, no METHOD: start-up alone"] - bare
    job_ms = medians["botod call s3.head_object"] - bare
    print(f"over bare: start-up {start_ms:.2f} ms, a whole job {job_ms:.2f} ms")
    bare_ms = medians["python -I -S, import botod.ipc"] - bare
    site_ms = medians["python, import botod.ipc"] - medians["python -c pass"]
    print(f"import botod.ipc: over -I -S {bare_ms:.2f} ms, over a start with site {site_ms:.2f} ms")
    return int(start_ms > CLAIM_MS or max(bare_ms, site_ms) > IMPORT_CLAIM_MS)


if __name__ == "__main__":
    sys.exit(main())
