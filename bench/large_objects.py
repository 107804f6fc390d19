"""One large object up and down in parts, over TLS, beside what a user would pick instead.

    python bench/large_objects.py            # 1 GiB, three rounds, some minutes
    python bench/large_objects.py --quick    # 64 MiB, one round

s3.upload_file and s3.download_file by descriptor, beside s5cmd, boto3, obstore and curl (in one
request, nothing signed), as many of them as are installed. Each moves a file in memory, /dev/shm:
a disk would be measured. nginx is the server, and keeps the last part only. Up with a CRC32 of each
part, as boto3 has it. They take turns, round by round; medians. MB/s, CPU seconds and peak memory
are of the process that moves the bytes, for botod of the daemon.

The claim, for the full form: botod is no slower than boto3, and uses less CPU; else the exit status
is 1.
"""

import argparse
import filecmp
import importlib.util
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from nginx import Nginx, running_nginx

from daemon import Daemon, running_daemon

MIB = 1024 * 1024
MEMORY = "/dev/shm"

KEYS = {
    "AWS_ACCESS_KEY_ID": "access",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}

BOTO3 = """
import sys, boto3, botocore.config
direction, url, file = sys.argv[1:]
style = botocore.config.Config(s3={"addressing_style": "path"})
s3 = boto3.client("s3", region_name="us-east-1", endpoint_url=url, config=style)
if direction == "up":
    s3.upload_file(file, "put", "boto3")
else:
    s3.download_file("bucket", "large", file)
"""

OBSTORE = """
import sys, obstore
from obstore.store import S3Store
direction, url, file = sys.argv[1:]
store = S3Store(
    "put" if direction == "up" else "bucket", endpoint=url, region="us-east-1",
    client_options={"allow_invalid_certificates": True},
)
if direction == "up":
    with open(file, "rb") as source:
        obstore.put(store, "obstore", source)
else:
    with open(file, "r+b") as target:
        for piece in obstore.get(store, "large").stream():
            target.write(piece)
"""


class Cost(NamedTuple):
    """Of one body."""

    seconds: float
    cpu_s: float
    rss_mib: float


def command(*words: str, ca_file: str) -> Cost:
    """What a command takes."""
    environ = {**os.environ, **KEYS, "AWS_CA_BUNDLE": ca_file}
    began = time.perf_counter()
    process = subprocess.Popen(words, env=environ, stdout=subprocess.DEVNULL)
    _pid, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    took_s = time.perf_counter() - began
    if process.returncode:
        sys.exit(f"{words[0]} failed")
    return Cost(took_s, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def botod(daemon: Daemon, direction: str, file: Path) -> Cost:
    """What the daemon takes."""
    client = daemon.connect()
    fd = os.open(file, os.O_RDONLY if direction == "up" else os.O_WRONLY)
    bucket, key = ("put", "botod") if direction == "up" else ("bucket", "large")
    method = "s3.upload_file" if direction == "up" else "s3.download_file"
    Path(f"/proc/{daemon.pid}/clear_refs").write_text("5")  # the peak begins anew
    cpu_s, began = daemon.cpu_s(), time.perf_counter()
    checked = {"ChecksumAlgorithm": "CRC32"} if direction == "up" else {}
    client.ask(method, {"Bucket": bucket, "Key": key, "Body": {"$fd": 0}, **checked}, (fd,))
    took_s = time.perf_counter() - began
    os.close(fd)
    return Cost(took_s, daemon.cpu_s() - cpu_s, _peak_mib(daemon.pid))


def _peak_mib(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (peak,) = (line for line in lines if line.startswith("VmHWM:"))
    return int(peak.split()[1]) / 1024


def contenders(server: Nginx, daemon: Daemon) -> Iterator[tuple[str, Callable[[str, Path], Cost]]]:
    """Those that are installed."""
    url, ca_file = f"https://localhost:{server.port}", server.ca_file

    def python(script: str) -> Callable[[str, Path], Cost]:
        words = (sys.executable, "-c", script)
        return lambda way, file: command(*words, way, url, str(file), ca_file=ca_file)

    def s5cmd(way: str, file: Path) -> Cost:
        ends = (str(file), "s3://put/s5cmd") if way == "up" else ("s3://bucket/large", str(file))
        options = ("--endpoint-url", url, "--no-verify-ssl", "cp")
        return command("s5cmd", *options, *ends, ca_file=ca_file)

    def curl(way: str, file: Path) -> Cost:
        up, down = ("-T", str(file), f"{url}/put/curl"), ("-o", str(file), f"{url}/bucket/large")
        options = ("-sS", "--fail", "--http1.1", "--cacert", ca_file)
        return command("curl", *options, *(up if way == "up" else down), ca_file=ca_file)

    yield "botod", lambda way, file: botod(daemon, way, file)
    if shutil.which("s5cmd"):
        yield "s5cmd", s5cmd
    if importlib.util.find_spec("boto3"):
        yield "boto3", python(BOTO3)
    if importlib.util.find_spec("obstore"):
        yield "obstore", python(OBSTORE)
    yield "curl", curl


def measure(server: Nginx, daemon: Daemon, size: int, rounds: int) -> dict[str, dict[str, Cost]]:
    """Both ways, all contenders, in turn; medians."""
    costs: dict[str, dict[str, list[Cost]]] = {"up": {}, "down": {}}
    with tempfile.TemporaryDirectory(prefix="botod-bench-", dir=MEMORY) as folder:
        source, target = server.files / "large", Path(folder, "target")
        with source.open("wb") as file:
            for _ in range(size // MIB):
                file.write(os.urandom(MIB))
        source.chmod(0o644)
        for way, file_of in (("up", source), ("down", target)):
            for _ in range(rounds):
                for name, move in contenders(server, daemon):
                    # Nobody pays for new blocks; nothing is held here that a child would inherit.
                    shutil.copyfile(source, target)
                    costs[way].setdefault(name, []).append(move(way, file_of))
                    if not filecmp.cmp(source, target, shallow=False):
                        sys.exit(f"{name}: what came down is not what is there")
    return {
        way: {
            name: Cost(*(statistics.median(values) for values in zip(*some, strict=True)))
            for name, some in found.items()
        }
        for way, found in costs.items()
    }


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="64 MiB, one round; claims nothing")
    parser.add_argument("--json", action="store_true", help="the figures as one line of JSON")
    arguments = parser.parse_args()
    size, rounds = (64 * MIB, 1) if arguments.quick else (1024 * MIB, 3)
    with running_nginx(MEMORY) as server, running_daemon(server) as daemon:
        daemon.connect().ask("s3.get_object", {"Bucket": "bucket", "Key": "k"})
        found = measure(server, daemon, size, rounds)
    if arguments.json:
        print(
            json.dumps({
                way: {k: v._asdict() for k, v in one.items()} for way, one in found.items()
            })
        )
    for way, one in found.items():
        print(f"{way:<10}{'MB/s':>8}{'CPU s':>8}{'peak MiB':>10}")
        for name, cost in one.items():
            speed = size / 1e6 / cost.seconds
            print(f"{name:<10}{speed:>8.0f}{cost.cpu_s:>8.2f}{cost.rss_mib:>10.0f}")
    if not arguments.quick and not all(map(_holds, found.values())):
        sys.exit(1)


def _holds(one: dict[str, Cost]) -> bool:
    boto3 = one.get("boto3")
    return boto3 is None or (
        one["botod"].seconds <= boto3.seconds and one["botod"].cpu_s < boto3.cpu_s
    )


if __name__ == "__main__":
    main()
