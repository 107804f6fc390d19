"""A flame graph of the daemon under load, by py-spy, and the functions that most of it is spent in.

    python bench/flame.py         # GET of 1 KiB, 64 in flight, for ten seconds
    python bench/flame.py sqs

Writes docs/performance/flame-KIND.svg and prints the functions by their own time. py-spy reads the
daemon from outside; a function in C counts for the Python one that called it.
"""

import json
import re
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

from nginx import running_nginx

from daemon import MEMORY, Daemon, running_daemon
from harness.environment import program
from load.task import Task
from works import ALL
from works.asking import told_by
from works.hot import AS_SHIPPED, IN_FLIGHT, WARM_UP, WITHOUT_BATCHES

SECONDS = 10
A_SECOND = 500
ROUND = 5_000
SHOWN = 15
IN_A_THREAD = "Thread._bootstrap"
TITLE = re.compile(r'(<text id="title"[^>]*>)[^<]*(</text>)')
PLOTS = Path(__file__).parent.parent / "docs" / "performance"


def entitle(path: Path, title: str) -> None:
    """Call the picture what it shows; py-spy writes its command line there, paths and all."""
    drawn = path.read_text(encoding="utf-8")
    path.write_text(TITLE.sub(rf"\g<1>{title}\g<2>", drawn, count=1), encoding="utf-8")


def load(task: Task, ends: threading.Event) -> None:
    """Ask until told to end."""
    while not ends.is_set():
        told_by([sys.executable, "-m", "load", "botod_wire", json.dumps(task._asdict())])


def record(daemon: Daemon, shape: str, path: Path) -> None:
    """Look at it so often for so long."""
    words = ["record", "--pid", str(daemon.pid), "--duration", str(SECONDS), "--rate",
             str(A_SECOND), "--format", shape, "--output", str(path)]  # fmt: skip
    done = subprocess.run(
        [program("py-spy", "py-spy"), *words], capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"py-spy: {done.stderr.strip()}")


def by_own_time(stacks: Iterable[str], name_of: Callable[[str], str]) -> list[tuple[str, float]]:
    """Names of frames, and the part of the loop's looks in which each was innermost, most first.

    stacks: py-spy's raw lines, frames from the outermost with `;` between, and a count. Threads
    beside the loop are left out: they wait, and py-spy cannot always tell.
    """
    counts: Counter[str] = Counter()
    for line in stacks:
        frames, _space, count = line.rpartition(" ")
        if frames and not frames.startswith(IN_A_THREAD):
            counts[name_of(frames.rpartition(";")[2])] += int(count)
    total = counts.total() or 1
    return [(name, number / total) for name, number in counts.most_common()]


def function(frame: str) -> str:
    """`name (file.py:12)` without its line."""
    return f"{frame.rpartition(':')[0]})" if ":" in frame else frame


def file(frame: str) -> str:
    """`file.py` of the same."""
    return frame.rpartition("(")[2].partition(":")[0].rstrip(")")


def package(frame: str) -> str:
    """The first folder of its file."""
    return file(frame).partition("/")[0]


def main() -> None:
    """Record twice, once to draw and once to count."""
    kind = sys.argv[1] if len(sys.argv) > 1 else "get"
    with (
        running_nginx(MEMORY) as server,
        running_daemon(server, daemon=AS_SHIPPED, profile=WITHOUT_BATCHES) as daemon,
        tempfile.TemporaryDirectory(prefix="botod-bench-") as folder,
    ):
        where = ("localhost", server.port, server.ca_file)
        task = Task(kind, *where, ROUND, IN_FLIGHT, WARM_UP, daemon.path, (daemon.pid,))
        ends = threading.Event()
        asking = threading.Thread(target=load, args=(task, ends))
        asking.start()
        try:
            PLOTS.mkdir(exist_ok=True)
            picture = PLOTS / f"flame-{kind}.svg"
            record(daemon, "flamegraph", picture)
            entitle(picture, ALL[kind].title)
            raw = Path(folder, "raw")
            record(daemon, "raw", raw)
        finally:
            ends.set()
            asking.join()
        stacks = raw.read_text().splitlines()
    for name_of in (function, file, package):
        print(f"\nOwn time by {name_of.__name__}")
        for name, part in by_own_time(stacks, name_of)[:SHOWN]:
            print(f"{part:6.1%}  {name}")


if __name__ == "__main__":
    main()
