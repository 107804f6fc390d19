"""The whole daemon for ten minutes, and all that may go wrong meanwhile, at random.

    python bench/daemon_soak.py                          # ten minutes
    python bench/daemon_soak.py --minutes 1 --seed 7     # to try it
    python bench/daemon_soak.py --report docs            # writes docs/soak.md and its plot, too

The claim: whatever happens to a daemon of two workers, no job goes without an answer, none gets
another's, no message is sent twice and none that was acknowledged is missing; afterwards nothing is
held, and memory and descriptors are where they were.

Peers in processes of their own do jobs of every kind (soak_peers.py) against a server on loopback
(soak_upstream.py). A fault lasts for some seconds, then there are some without one. In the first
half workers are killed and the daemon begins anew as well; in the second the same processes live
on, so that what they hold can be compared. Exit status 1, with the reasons, if the claim fails.

As root it fills the disk of the keys file and of the state directory, too.
"""

import argparse
import contextlib
import json
import os
import random
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from soak_plot import Panel, svg

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "tests"))

from support.clock import WallClock, wall_clock  # noqa: E402 - the path comes first
from support.daemons import Daemon, clean_environ, running_daemon  # noqa: E402
from support.figures import descriptors_num, held, rss_bytes, status_of, succeeds  # noqa: E402
from support.own_namespaces import with_mounts  # noqa: E402

PROCESSES, THREADS = 3, 8

FAULT_S = (1.0, 4.0)
PAUSE_S = (1.0, 3.0)
QUIET_S = 10.0
"""At the end without a fault: by then hosts that rest are tried again."""

WARM_S = 5.0

SAMPLE_S = 1.0
BACK_WITHIN_S = 60.0
RSS_GROWTH_MAX = 1.15
SPARE_DESCRIPTORS = 6
BURST = 300

OF_THE_SERVER = (
    *("cut before", "reset before", "cut", "reset", "half a head", "half a body"),
    *("half-close", "silence", "500", "503 storm"),
)

GIGABYTE, MEGABYTE = 1e9, 1e6


@dataclass
class Sample:
    """A moment. at_s: since the start."""

    at_s: float
    rss_mb: float
    descriptors_num: int
    sockets_num: int


@dataclass
class Run:
    """All that came of it."""

    began: float = field(default_factory=time.monotonic)
    outcomes: Counter[str] = field(default_factory=Counter)
    took: list[tuple[float, float]] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    faults: list[tuple[float, str]] = field(default_factory=list)
    acknowledged: set[str] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)
    lost_num: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def at_s(self) -> float:
        return time.monotonic() - self.began

    def take(self, told: dict[str, Any]) -> None:
        """What a process of peers says."""
        with self.lock:
            self.outcomes.update(told["outcomes"])
            self.took += [(self.at_s(), ms) for ms in told["took_ms"]]
            self.acknowledged.update(told.get("acknowledged", ()))
            self.wrong += told.get("wrong", ())
            self.lost_num += told.get("lost", 0)


class Upstream:
    """The server's process."""

    def __init__(self, seed: int) -> None:
        self._process = _python("soak_upstream.py", str(seed))
        self.port = int(self._process.stdout.readline())  # type: ignore[union-attr]

    def say(self, fault: str) -> None:
        """Have this fault from now on."""
        self._process.stdin.write(f"{fault}\n")  # type: ignore[union-attr]
        self._process.stdin.flush()  # type: ignore[union-attr]

    def end(self) -> dict[str, Any]:
        """What it has seen."""
        told, _errors = self._process.communicate(timeout=60)
        found: dict[str, Any] = json.loads(told)
        return found


class Faults:
    """What may happen to the daemon. Each is a block: the fault lasts as long as that."""

    def __init__(self, daemon: Daemon, upstream: Upstream, clock: WallClock, disk: Path) -> None:
        self._daemon = daemon
        self._upstream = upstream
        self._clock = clock
        self._disk = disk

    def all(self, *, with_deaths: bool) -> dict[str, Callable[[], Any]]:
        """By name. with_deaths: those among them that end processes."""
        found: dict[str, Callable[[], Any]] = {
            **{name: self._of_the_server(name) for name in OF_THE_SERVER},
            "clock ahead": lambda: self.clock_is(6 * 3600.0),
            "clock behind": lambda: self.clock_is(-6 * 3600.0),
            "few descriptors": self.few_descriptors,
            "reload": self.reload,
            "crowd": self.crowd,
        }
        if os.geteuid() == 0:
            found["full disk"] = self.full_disk
        if with_deaths:
            found |= {"worker killed": self.kill_worker, "restart": self.restart}
        return found

    def _of_the_server(self, name: str) -> Callable[[], Any]:
        @contextlib.contextmanager
        def lasting() -> Iterator[None]:
            self._upstream.say(name)
            yield
            self._upstream.say("fine")

        return lasting

    @contextlib.contextmanager
    def clock_is(self, offset_s: float) -> Iterator[None]:
        """The wall clock is wrong; the server's is not looked at."""
        self._clock.set(offset_s)
        yield
        self._clock.set(0.0)

    @contextlib.contextmanager
    def few_descriptors(self) -> Iterator[None]:
        """No worker may open one more."""
        limits = {}
        for pid in self._pids():
            limits[pid] = resource.prlimit(pid, resource.RLIMIT_NOFILE)
            number = max(int(link.name) for link in Path(f"/proc/{pid}/fd").iterdir())
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (number + 1, limits[pid][1]))
        yield
        for pid, limit in limits.items():
            resource.prlimit(pid, resource.RLIMIT_NOFILE, limit)

    @contextlib.contextmanager
    def reload(self) -> Iterator[None]:
        """The configuration is read again."""
        self._daemon.signal(signal.SIGHUP)
        yield

    @contextlib.contextmanager
    def crowd(self) -> Iterator[None]:
        """Many connect at once, and say nothing."""
        with contextlib.ExitStack() as peers:
            for _ in range(BURST):
                peer = peers.enter_context(socket.socket(socket.AF_UNIX))
                peer.connect(self._daemon.socket_path)
            yield

    @contextlib.contextmanager
    def full_disk(self) -> Iterator[None]:
        """Keys and uploads cannot be written."""
        filler = Path(f"/proc/{self._daemon.process.pid}/root{self._disk}/filler")
        with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(b"x" * 4096):
                pass
        yield
        filler.unlink()

    @contextlib.contextmanager
    def kill_worker(self) -> Iterator[None]:
        """One is gone at once; the master makes another."""
        os.kill(self._pids()[0], signal.SIGKILL)
        yield

    @contextlib.contextmanager
    def restart(self) -> Iterator[None]:
        """The daemon begins anew, in place."""
        command = [sys.executable, "-m", "botod.daemon.cli", "restart"]
        subprocess.run([*command, "--socket", self._daemon.socket_path], check=False, timeout=60)
        yield

    def _pids(self) -> list[int]:
        return [one["pid"] for one in status_of(self._daemon)["workers"]]


def _python(script: str, *words: str) -> "subprocess.Popen[str]":
    command = [sys.executable, str(Path(__file__).with_name(script)), *words]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def config(port: int, disk: Path) -> dict[str, Any]:
    """The daemon's: two workers, everything on, rests and pauses short enough to be seen often."""
    daemon: dict[str, Any] = {"workers": 2, "log_level": "warning"}
    if os.geteuid() == 0:
        daemon |= {"keys_file": str(disk / "keys"), "state_dir": str(disk / "state")}
    return {
        "daemon": daemon,
        "limits": {"peers": 4000, "peers_per_uid": 2000},
        "pool": {"connect_timeout_s": 1.0, "idle_timeout_s": 3.0, "slots_per_host": 16},
        "profile": {"default": {"endpoint": f"http://127.0.0.1:{port}", "retry_max_s": 1.0}},
    }


def sample(run: Run, daemon: Daemon, stopped: threading.Event) -> None:
    """Look at the daemon every second; run by a thread. A moment in which it cannot say is none."""
    while not stopped.wait(SAMPLE_S):
        with contextlib.suppress(Exception):
            status = status_of(daemon)
            sockets = sum(pool["sockets"]["open_num"] for pool in status["pools"])
            fds = sum(
                len(list(Path(f"/proc/{one['pid']}/fd").iterdir())) for one in status["workers"]
            )
            run.samples.append(Sample(run.at_s(), rss_bytes(daemon) / MEGABYTE, fds, sockets))


def listen(run: Run, peers: "subprocess.Popen[str]") -> None:
    """Gather what a process of peers tells; run by a thread."""
    for line in peers.stdout or ():
        run.take(json.loads(line))


def harass(run: Run, faults: Faults, draw: random.Random, seconds: float) -> None:
    """One fault after the other, for so long."""
    while run.at_s() < seconds:
        names = faults.all(with_deaths=run.at_s() < seconds / 2)
        name = draw.choice(list(names))
        run.faults.append((run.at_s(), name))
        try:
            with names[name]():
                time.sleep(draw.uniform(*FAULT_S))
        except Exception as error:  # noqa: BLE001 - the daemon may just be gone
            print(f"{run.at_s():6.1f} s  {name}: {error}", file=sys.stderr)
        time.sleep(draw.uniform(*PAUSE_S))


def ping(daemon: Daemon) -> None:
    """A job as it should be."""
    with daemon.connect() as connection:
        connection.call("s3.get_object", {"Bucket": "bucket", "Key": "1-10"}, timeout_s=5)


def soak(seed: int, seconds: float) -> tuple[Run, list[str]]:
    """All of it: what came of it, and why it failed."""
    draw = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="botod-bench-") as name:
        folder, disk = Path(name), Path(name, "disk")
        disk.mkdir(mode=0o700)
        upstream, clock = Upstream(seed), wall_clock(folder)
        mount = ("-t", "tmpfs", "-o", "size=4m,mode=0700", "none", str(disk))
        command = with_mounts(mount) if os.geteuid() == 0 else ("-m", "botod.daemon.cli", "run")
        environ = clean_environ(folder, **clock.environ)
        with running_daemon(config(upstream.port, disk), environ, command, ("",)) as daemon:
            run = Run()
            stopped = threading.Event()
            sampler = threading.Thread(target=sample, args=[run, daemon, stopped], daemon=True)
            peers = [
                _python("soak_peers.py", daemon.socket_path, f"{seed}-{number}", str(THREADS))
                for number in range(PROCESSES)
            ]
            listeners = [threading.Thread(target=listen, args=[run, one]) for one in peers]
            for thread in (sampler, *listeners):
                thread.start()
            time.sleep(WARM_S)
            harass(run, Faults(daemon, upstream, clock, disk), draw, seconds - QUIET_S)
            time.sleep(QUIET_S)
            for one in peers:
                one.stdin.close()  # type: ignore[union-attr]
            for thread in listeners:
                thread.join()
            stopped.set()
            sampler.join()
            reasons = at_rest(daemon)
            daemon.stop()
            seen = upstream.end()
    return run, reasons + verdict(run, seen)


def at_rest(daemon: Daemon) -> list[str]:
    """What is still held when all is over."""
    reasons = []
    succeeds(lambda: ping(daemon), BACK_WITHIN_S)
    deadline = time.monotonic() + BACK_WITHIN_S
    while any(held(status_of(daemon)).values()) and time.monotonic() < deadline:
        time.sleep(0.1)
    left = {name: number for name, number in held(status_of(daemon)).items() if number}
    if left:
        reasons.append(f"still held at the end: {left}")
    ping(daemon)
    time.sleep(2.0)
    ping(daemon)  # with it curl lets go of what servers closed
    fds = descriptors_num(daemon) / len(status_of(daemon)["workers"])
    print(f"descriptors a worker at the end, without sockets to the server: {fds:.0f}")
    return reasons


def verdict(run: Run, seen: dict[str, Any]) -> list[str]:
    """Why it failed."""
    reasons = []
    if run.lost_num:
        reasons.append(f"{run.lost_num} jobs were never answered")
    if run.wrong:
        reasons.append(f"{len(run.wrong)} wrong answers: {run.wrong[:3]}")
    if seen["twice"]:
        reasons.append(f"{len(seen['twice'])} messages were sent twice: {seen['twice'][:3]}")
    missing = run.acknowledged - set(seen["messages"])
    if missing:
        reasons.append(f"{len(missing)} acknowledged messages never came: {list(missing)[:3]}")
    bugs = [name for name in run.outcomes if name.endswith("InternalError")]
    if bugs:
        reasons.append(f"internal errors: {bugs}")
    return reasons + flatness(run)


def flatness(run: Run) -> list[str]:
    """Whether the last quarter needs more than the one before it: the same processes' figures."""
    end = run.samples[-1].at_s
    third = [one for one in run.samples if end / 2 <= one.at_s < end * 3 / 4]
    fourth = [one for one in run.samples if one.at_s >= end * 3 / 4]
    reasons = []
    before, after = (max(one.rss_mb for one in quarter) for quarter in (third, fourth))
    if after > before * RSS_GROWTH_MAX:
        reasons.append(f"memory is not flat: {before:.0f} MB, then {after:.0f} MB")
    idle = [min(one.descriptors_num - one.sockets_num for one in part) for part in (third, fourth)]
    if idle[1] > idle[0] + SPARE_DESCRIPTORS:
        reasons.append(f"descriptors are not flat: {idle[0]}, then {idle[1]}")
    return reasons


def rows(run: Run, step_s: float) -> list[dict[str, Any]]:
    """A row a minute, or for each step of a shorter run."""
    found = []
    for number in range(int(run.samples[-1].at_s // step_s)):
        begin, end = number * step_s, (number + 1) * step_s
        took = sorted(ms for at_s, ms in run.took if begin <= at_s < end) or [0.0]
        inside = [one for one in run.samples if begin <= one.at_s < end]
        if not inside:
            continue
        found.append({
            "minute": round(end / 60, 2),
            "jobs_per_s": round(len(took) / step_s),
            "p50_ms": took[len(took) // 2],
            "p99_ms": took[int(len(took) * 0.99)],
            "rss_mb": round(max(one.rss_mb for one in inside), 1),
            "descriptors_num": max(one.descriptors_num for one in inside),
            "sockets_num": max(one.sockets_num for one in inside),
            "faults": [name for at_s, name in run.faults if begin <= at_s < end],
        })
    return found


def plot(run: Run, table: list[dict[str, Any]]) -> str:
    """The table as curves; each fault is a thin line."""
    marks = [(at_s / 60, name) for at_s, name in run.faults]

    def line(name: str) -> list[tuple[float, float]]:
        return [(row["minute"], row[name]) for row in table]

    def seen(name: str) -> list[tuple[float, float]]:
        return [(one.at_s / 60, getattr(one, name)) for one in run.samples]

    return svg(
        [
            Panel("jobs done a second", [("", line("jobs_per_s"))], marks),
            Panel("ms a job", [("p50", line("p50_ms")), ("p99", line("p99_ms"))], marks),
            Panel("resident memory of both workers, MB", [("", seen("rss_mb"))], marks),
            Panel(
                "descriptors",
                [("all", seen("descriptors_num")), ("to the server", seen("sockets_num"))],
                marks,
            ),
        ],
        "minutes; each grey line is a fault",
    )


def as_markdown(run: Run, table: list[dict[str, Any]], seed: int, reasons: list[str]) -> str:
    """The report."""
    columns = [name for name in table[0] if name != "faults"]
    lines = [
        "# A soak of the whole daemon",
        "",
        f"Made by `bench/daemon_soak.py --seed {seed} --report docs`; its docstring says what is",
        "claimed and how it is counted. Rates are those of a machine that does other things too,",
        "and of peers that wait in between: compare them along the run, not with others.",
        "",
        f"{sum(run.outcomes.values()):,} jobs, {len(run.faults)} faults, {len(run.wrong)} wrong "
        f"answers, {run.lost_num} jobs without an answer. "
        + ("What failed: " + "; ".join(reasons) if reasons else "Nothing of the claim failed."),
        "",
        "![rates, times, memory and descriptors over time](images/soak.svg)",
        "",
        "| " + " | ".join(columns) + " |",
        "|" + "---:|" * len(columns),
        *("| " + " | ".join(str(row[name]) for name in columns) + " |" for row in table),
        "",
        "| fault | times |",
        "|---|---:|",
        *(f"| {name} | {num} |" for name, num in Counter(n for _, n in run.faults).most_common()),
        "",
        "| outcome | jobs |",
        "|---|---:|",
        *(f"| {name} | {num:,} |" for name, num in by_outcome(run).most_common()),
        "",
    ]
    return "\n".join(lines)


def by_outcome(run: Run) -> Counter[str]:
    """Jobs of all kinds together."""
    found: Counter[str] = Counter()
    for name, number in run.outcomes.items():
        found[name.partition(": ")[2]] += number
    return found


def main() -> int:
    """Run it, print the table, and write what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--report", type=Path, help="folder for soak.md and images/soak.svg")
    parser.add_argument("--json", type=Path, help="file for the figures")
    args = parser.parse_args()
    run, reasons = soak(args.seed, args.minutes * 60)
    table = rows(run, min(60.0, args.minutes * 6))
    for row in table:
        print({name: value for name, value in row.items() if name != "faults"})
    print(dict(by_outcome(run).most_common()))
    if args.json:
        figures = {"seed": args.seed, "rows": table, "outcomes": run.outcomes, "failed": reasons}
        args.json.write_text(json.dumps(figures, indent=1) + "\n")
    if args.report:
        (args.report / "images").mkdir(exist_ok=True)
        (args.report / "images" / "soak.svg").write_text(plot(run, table))
        (args.report / "soak.md").write_text(as_markdown(run, table, args.seed, reasons))
    for reason in reasons:
        print(f"FAILED: {reason}")
    return bool(reasons)


if __name__ == "__main__":
    sys.exit(main())
