"""The examples that are not a server, each run as its head says."""

import asyncio
import os
import sys
from pathlib import Path

from support.http_server import http_server
from support.loops import run
from support.meeting import Meeting
from support.smtp_server import smtp_server

EXAMPLES = Path(__file__).parents[2] / "examples"


async def output_of(name: str, *args: str) -> list[str]:
    """What an example prints; it must end well and say nothing else."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(EXAMPLES / name), *args,
        env={**os.environ, "no_proxy": "*"},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await process.communicate()
    assert (process.returncode, err.decode()) == (0, "")
    return out.decode().splitlines()


def test_fetch_many() -> None:
    """urllib, then requests: ten URLs at once each, or the server would not answer."""

    async def scenario() -> None:
        with http_server(Meeting(10)) as server:
            urls = [f"http://127.0.0.1:{server.port}/{'x' * n}" for n in range(10)]
            lines = await output_of("fetch_many.py", *urls)
        assert lines == [f"{url} {n + 1} {n + 1}" for n, url in enumerate(urls)]

    run(scenario)


def test_mail() -> None:
    """smtplib over streams: ten mails arrive."""

    async def scenario() -> None:
        async with smtp_server() as server:
            args = ("127.0.0.1", str(server.port), "me@example.org", "you@example.org")
            assert await output_of("mail.py", *args) == ["sent 10 mails"]
        subjects = sorted(mail.partition(b"\r\n")[0] for mail in server.mails)
        assert subjects == [b"Subject: mail %d" % number for number in range(10)]

    run(scenario)
