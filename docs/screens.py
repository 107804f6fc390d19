"""Pictures of the console and of the page, of a daemon that works: `make screens`.

Into docs/images/: top.svg and show-pools.svg, what the commands write; page.png and plots.png, what
a browser shows. The figures are those of the machine that it runs on, for the demo's servers.
"""

import argparse
import contextlib
import shutil
import struct
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from botod.daemon.commands.demo import ACCESS_KEY, SECRET_KEY, server
from botod.ipc import Connection, RpcError
from support.chromium import PROGRAMS, Browser, running_browser
from support.daemons import Daemon, clean_environ, running_daemon
from support.ports import free_port

IMAGES = Path(__file__).parent / "images"

LOAD_S = 180.0
"""Enough for curves: a point each 5 seconds."""

PEERS = 4
"""One more begins after each quarter of the time."""

PAUSE_S = 0.02
"""Of each peer, between two jobs: moto takes all of a core by itself."""

WIDTH, HEIGHT = 1000, 800

ADVANCE, LINE, MARGIN = 7.83, 18, 16
"""Of a fixed-width font of 13 pixels."""

BUCKET, QUEUE, DOMAIN = "photos", "thumbnails", "albums"


def main() -> None:
    """Start everything, let it work for a while, and look."""
    said = argparse.ArgumentParser(description="Make the pictures in docs/images/.")
    said.add_argument("--load-s", type=float, default=LOAD_S, help="how long to work before")
    said.add_argument("--into", type=Path, default=IMAGES)
    arguments = said.parse_args()
    arguments.into.mkdir(exist_ok=True)
    port = free_port()
    with contextlib.ExitStack() as stack:
        daemon = stack.enter_context(_daemon(port))
        browser = stack.enter_context(running_browser(_browser()))
        stack.enter_context(_load(daemon, arguments.load_s))
        time.sleep(arguments.load_s)
        for name, command in (("top", ("top", "--once")), ("show-pools", ("show", "pools"))):
            lines = _said(daemon, *command)
            (arguments.into / f"{name}.svg").write_text(terminal(f"botod {command[0]}", lines))
        _photograph(browser, port, arguments.into)


def terminal(title: str, lines: Sequence[str]) -> str:
    """A terminal's text as SVG."""
    width = MARGIN * 2 + ADVANCE * max(map(len, lines))
    height = MARGIN * 2 + LINE * len(lines)
    texts = "\n".join(
        f'<text x="{MARGIN}" y="{MARGIN + LINE * number + 13}" xml:space="preserve">'
        f"{escape(line)}</text>"
        for number, line in enumerate(lines)
        if line
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" '
        f'width="{width:.0f}" height="{height}" role="img">\n<title>{escape(title)}</title>\n'
        f'<rect width="100%" height="100%" rx="8" fill="#12161b"/>\n'
        f'<g fill="#e6e9ed" font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" '
        f'font-size="13">\n{texts}\n</g>\n</svg>\n'
    )


def with_note(png: bytes, key: str, words: str) -> bytes:
    """A PNG that says something besides, as text."""
    body = b"tEXt" + key.encode() + b"\0" + words.encode()
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    after_head = 8 + 4 + 4 + 13 + 4
    return png[:after_head] + chunk + png[after_head:]


@contextlib.contextmanager
def _daemon(port: int) -> Iterator[Daemon]:
    """One that talks to the demo's servers."""
    keys = ("--access-key", ACCESS_KEY, "--secret-key", SECRET_KEY)
    with (
        server("botod.daemon.demo.aws") as aws,
        server("botod.daemon.demo.simpledb", *keys) as sdb,
    ):
        endpoints = {"s3": aws, "sqs": aws, "sdb": sdb}
        config: dict[str, Any] = {
            "daemon": {"workers": 2, "visit_warn_s": 0.03},
            "metrics": {"port": port},
            "profile": {"default": {"endpoints": endpoints, "region": "us-east-1"}},
        }
        environ = clean_environ(
            Path("/nonexistent"), AWS_ACCESS_KEY_ID=ACCESS_KEY, AWS_SECRET_ACCESS_KEY=SECRET_KEY
        )
        with running_daemon(config, environ, expected=("",)) as daemon:
            yield daemon


@contextlib.contextmanager
def _load(daemon: Daemon, load_s: float) -> Iterator[None]:
    """Peers that work until the block ends."""
    with daemon.connect() as connection:
        connection.call("s3.create_bucket", {"Bucket": BUCKET})
        connection.call("sdb.create_domain", {"DomainName": DOMAIN})
        queue = connection.call("sqs.create_queue", {"QueueName": QUEUE})["QueueUrl"]
    is_over = threading.Event()

    def work(number: int) -> None:
        if is_over.wait(load_s / PEERS * number):
            return
        with daemon.connect() as connection:
            while not is_over.wait(PAUSE_S):
                for method, params in _jobs(queue, number):
                    _do(connection, method, params)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(PEERS)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        is_over.set()
        for thread in threads:
            thread.join()


def _jobs(queue: str, number: int) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """What a peer does again and again; one of it is in vain."""
    photo = {"Bucket": BUCKET, "Key": f"{number}.jpg"}
    yield "s3.put_object", {**photo, "Body": "miaow" * 1000}
    for _ in range(5):
        yield "s3.get_object", photo
    yield "s3.get_object", {"Bucket": BUCKET, "Key": "lost.jpg"}
    yield "sqs.send_message", {"QueueUrl": queue, "MessageBody": photo["Key"]}
    yield "sqs.receive_message", {"QueueUrl": queue, "MaxNumberOfMessages": 10}
    attributes = [{"Name": "photo", "Value": photo["Key"]}]
    yield "sdb.put_attributes", {
        "DomainName": DOMAIN, "ItemName": str(number), "Attributes": attributes,
    }  # fmt: skip


def _do(connection: Connection, method: str, params: Mapping[str, Any]) -> None:
    with contextlib.suppress(RpcError):
        connection.call(method, params)


def _said(daemon: Daemon, *command: str) -> list[str]:
    """What is seen in a terminal of a command."""
    done = subprocess.run(
        [sys.executable, "-m", "botod.daemon.cli", *command, "--socket", daemon.socket_path],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    return [f"$ botod {' '.join(command)}", *done.stdout.rstrip().splitlines()]


def _browser() -> str:
    found = filter(None, map(shutil.which, PROGRAMS))
    return next(found, None) or sys.exit(f"wants one of {', '.join(PROGRAMS)} (apt-get install)")


def _photograph(browser: Browser, port: int, folder: Path) -> None:
    browser.open(f"http://127.0.0.1:{port}/", width=WIDTH, height=HEIGHT)
    browser.wait_for("document.querySelector('#operations td[data-cell=rate]')?.textContent")
    heads = browser.value(
        "[...document.querySelectorAll('th')].map(head => head.textContent).join('|')"
    )
    (folder / "page.png").write_bytes(with_note(browser.picture(), "heads", heads))
    (folder / "plots.png").write_bytes(browser.picture("#plots"))


if __name__ == "__main__":
    main()
