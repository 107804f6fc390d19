"""A large object up and down by descriptor, beside curl's command line straight to the server.

    python bench/bodies.py            # 1 GiB, three rounds, about a minute
    python bench/bodies.py --quick    # 256 MiB, one round

The claim: by descriptor through the daemon a GiB moves as fast as curl moves it (within a tenth),
the daemon's resident memory grows by 32 MiB at most, and meanwhile small jobs (GET of 1 KiB, one
after another, on another connection) are answered within 10 ms at p99. Exit status 1 if not.

nginx with TLS is the server; all files are in memory, /dev/shm, or a disk would be measured. The
small jobs go to a second nginx: the first one serves nobody else while it writes a file. curl and
the daemon take turns, round by round; medians.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Self

from nginx import Nginx, running_nginx

from daemon import Daemon, running_daemon

MIB = 1024 * 1024
MEMORY = "/dev/shm"
SLOWER_THAN_CURL_MAX = 1.1
RSS_GROWTH_MAX_MIB = 32.0
SMALL_P99_MAX_MS = 10.0


def curl(server: Nginx, direction: str, file: Path) -> float:
    """Seconds for one body by curl."""
    url = f"https://localhost:{server.port}"
    if direction == "up":
        arguments = ["-T", str(file), f"{url}/put/curl"]
    else:
        arguments = ["-o", str(file), f"{url}/bucket/large"]
    began = time.perf_counter()
    subprocess.run(
        ["curl", "-sS", "--fail", "--http1.1", "--cacert", server.ca_file, *arguments],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return time.perf_counter() - began


def by_descriptor(daemon: Daemon, direction: str, file: Path) -> float:
    """Seconds for one body through the daemon."""
    client = daemon.connect()
    flags = os.O_RDONLY if direction == "up" else os.O_WRONLY
    fd = os.open(file, flags)
    began = time.perf_counter()
    if direction == "up":
        params = {"Bucket": "put", "Key": "botod", "Body": {"$fd": 0}}
        client.ask("s3.put_object", params, (fd,))
    else:
        params = {"Bucket": "bucket", "Key": "large", "Body": {"$fd": 0}}
        client.ask("s3.get_object", params, (fd,))
    took_s = time.perf_counter() - began
    os.close(fd)
    return took_s


class SmallJobs:
    """Small jobs, one after another, on a connection of their own."""

    def __init__(self, daemon: Daemon) -> None:
        self.took_ms: list[float] = []
        self._client = daemon.connect()
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._ends.set()
        self._thread.join()

    def p99_ms(self) -> float:
        return sorted(self.took_ms)[len(self.took_ms) * 99 // 100]

    def _run(self) -> None:
        while not self._ends.is_set():
            began = time.perf_counter()
            self._client.ask("s3.get_object", {"Bucket": "bucket", "Key": "k"}, profile="other")
            self.took_ms.append((time.perf_counter() - began) * 1000)


def measure(server: Nginx, daemon: Daemon, size: int, rounds: int) -> dict[str, dict[str, Any]]:
    """Both ways, both means, in turn."""
    found: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory(prefix="botod-bench-", dir=MEMORY) as folder:
        source, target = server.files / "large", Path(folder, "target")
        with source.open("wb") as file:
            for _ in range(size // MIB):
                file.write(os.urandom(MIB))
        target.write_bytes(source.read_bytes())  # so that none pays for new blocks
        source.chmod(0o644)
        for direction, file in (("up", source), ("down", target)):
            seconds: dict[str, list[float]] = {"curl": [], "botod": []}
            for _ in range(rounds):
                seconds["curl"].append(curl(server, direction, file))
                seconds["botod"].append(by_descriptor(daemon, direction, file))
            rss, cpu = daemon.rss_mib(), daemon.cpu_s()
            with SmallJobs(daemon) as small:
                by_descriptor(daemon, direction, file)
            if direction == "down" and target.read_bytes() != source.read_bytes():
                sys.exit("what came down is not what went up")
            found[direction] = {
                "curl": size / 1e6 / statistics.median(seconds["curl"]),
                "botod": size / 1e6 / statistics.median(seconds["botod"]),
                "rss_mib": daemon.rss_mib() - rss,
                "cpu_s": daemon.cpu_s() - cpu,
                "p99_ms": small.p99_ms(),
                "small_num": len(small.took_ms),
            }
    return found


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="256 MiB, one round")
    quick = parser.parse_args().quick
    size, rounds = (256 * MIB, 1) if quick else (1024 * MIB, 3)
    with (
        running_nginx(MEMORY) as server,
        running_nginx(MEMORY) as other,
        running_daemon(server, other) as daemon,
    ):
        daemon.connect().ask("s3.get_object", {"Bucket": "bucket", "Key": "k"})
        rss = daemon.rss_mib()
        found = measure(server, daemon, size, rounds)
        growth_mib = daemon.rss_mib() - rss
    print(f"{'MB/s':<8}{'curl':>8}{'botod':>8}{'CPU s':>8}{'small p99 ms':>14}{'small jobs':>12}")
    for direction, one in found.items():
        print(
            f"{direction:<8}{one['curl']:>8.0f}{one['botod']:>8.0f}{one['cpu_s']:>8.2f}"
            f"{one['p99_ms']:>14.1f}{one['small_num']:>12}"
        )
    print(f"the daemon's resident memory grew by {growth_mib:.1f} MiB")
    good = growth_mib <= RSS_GROWTH_MAX_MIB and all(
        one["botod"] * SLOWER_THAN_CURL_MAX >= one["curl"] and one["p99_ms"] <= SMALL_P99_MAX_MS
        for one in found.values()
    )
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
