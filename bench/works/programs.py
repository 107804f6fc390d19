"""Programs of the command line that do a task: wrk, curl, s5cmd."""

import re
import tempfile
from pathlib import Path

from nginx import Nginx

from harness.environment import debian, program
from harness.work import Contender, Figures, Kind, NotMeasuredError
from load.plain_http import plain
from load.task import Task
from works.asking import counted, ran, requests_by

IN_MS = {"us": 0.001, "ms": 1.0, "s": 1000.0}


def wrk(task: Task, server: Nginx, seconds: int) -> Contender:
    """For so long; nothing signed or verified."""

    def run() -> Figures:
        found = debian("wrk")
        method, url, body = plain(task)
        with tempfile.TemporaryDirectory(prefix="botod-bench-") as folder:
            script = Path(folder, "request.lua")
            text = (body or b"").decode()
            script.write_text(f'wrk.method = "{method}"\nwrk.body = "{text}"\n')
            words = [found, "-t1", f"-c{task.in_flight}", f"-d{seconds}s", "--latency",
                     "-s", str(script), url]  # fmt: skip

            def wrk_run() -> dict[str, float]:
                took = ran(words, task.ca_file)
                return wrk_figures(took.said, took.cpu_s) | {"rss_mb": took.rss_mb}

            return counted(server, wrk_run)

    return Contender("wrk, nothing signed", Kind.LIMIT, run)


def wrk_figures(said: str, cpu_s: float) -> dict[str, float]:
    """What wrk says, in our words. NotMeasuredError if it says nothing of the kind."""
    number = re.search(r"(\d+) requests in", said)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", said)
    if number is None or rate is None or "Non-2xx" in said:
        raise NotMeasuredError("wrk got no good answers")
    cpu_us = cpu_s / int(number[1]) * 1e6
    percentiles = {
        f"p{part}_ms": float(value) * IN_MS[unit]
        for part, value, unit in re.findall(r"\b(50|99)%\s+([\d.]+)(us|ms|s)", said)
    }
    return {
        "per_s": float(rate[1]),
        "cpu_us": cpu_us,
        "all_us": cpu_us,
        "sent": float(number[1]),
        **percentiles,
    }


def curl(task: Task, server: Nginx) -> Contender:
    """One process, in parallel, signed."""

    def run() -> Figures:
        _method, url, body = plain(task)
        service = "sqs" if task.kind == "sqs" else "s3"
        words = [
            debian("curl"), "-sS", "--fail", "--http1.1", "--cacert", task.ca_file, "-Z",
            "--parallel-max", str(task.in_flight), "--aws-sigv4", f"aws:amz:us-east-1:{service}",
            "--user", "access:secret", "-o", "/dev/null", f"{url}?n=[1-{task.number}]",
            *(["--data", body.decode()] if body else []),
        ]  # fmt: skip
        return counted(server, lambda: requests_by(words, task.ca_file, task.number))

    return Contender(f"curl --aws-sigv4 -Z, {task.in_flight}", Kind.PEER, run)


def s5cmd(task: Task, server: Nginx) -> Contender:
    """One process, of its own commands a line each."""

    def run() -> Figures:
        found = program("s5cmd", "s5cmd")
        with tempfile.TemporaryDirectory(prefix="botod-bench-") as folder:
            Path(folder, "body").write_bytes(task.body)
            line = f"cat s3://bucket/{task.key}"
            if task.kind == "put":
                line = f"cp {folder}/body s3://put/s5cmd"
            commands = Path(folder, "commands")
            commands.write_text(f"{line}\n" * task.number)
            words = [found, "--endpoint-url", task.url, "--numworkers", str(task.in_flight),
                     "run", str(commands)]  # fmt: skip
            return counted(server, lambda: requests_by(words, task.ca_file, task.number))

    return Contender(f"s5cmd run, {task.in_flight} workers", Kind.PEER, run)
