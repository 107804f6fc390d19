"""docs/in-process.md: every example in it does what it says."""

import ast
import asyncio
import re
import socket
from pathlib import Path
from typing import Any

import certifi
import pytest

from support.certificates import new_authority
from support.http_server import Exchange, http_server
from support.loops import run
from support.smtp_server import smtp_server

DOCUMENT = (Path(__file__).parents[2] / "docs" / "in-process.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)
LISTED = b"<ListQueuesResponse><ListQueuesResult/></ListQueuesResponse>"


def answer(exchange: Exchange) -> None:
    """What the document's server says."""
    exchange.ok(b"hello" if exchange.target == "/hello" else LISTED)


def free_port() -> int:
    """A port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


async def execute(block: str, names: dict[str, Any]) -> None:
    """Run a block as `python -m asyncio` does."""
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    running = eval(compile(block, "docs/in-process.md", "exec", flags), names)
    if asyncio.iscoroutine(running):
        await running


def test_every_block_does_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """All blocks, one after the other; what each prints is in the comments beside it."""
    authority = new_authority(tmp_path)
    monkeypatch.setattr(certifi, "where", lambda: authority.ca_file)
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", authority.ca_file)

    async def scenario() -> None:
        tls = authority.server_context("localhost")
        with http_server(answer) as plain, http_server(answer, tls=tls) as secure:
            async with smtp_server() as smtp:
                ports = {"8000": plain.port, "8443": secure.port, "8025": smtp.port}
                await run_blocks({**ports, "8888": free_port()})

    async def run_blocks(ports: dict[str, int]) -> None:
        names: dict[str, Any] = {}
        for block in BLOCKS:
            for written, port in ports.items():
                block = re.sub(rf"\b{written}\b", str(port), block)  # noqa: PLW2901
            await execute(block, names)
            expected = re.findall(r"# prints: (.*)", block)
            assert capsys.readouterr().out.splitlines() == expected, block

    run(scenario)


def test_the_document_has_blocks_that_print() -> None:
    """An empty list would be a broken check."""
    assert len(BLOCKS) > 10
    assert sum(block.count("# prints: ") for block in BLOCKS) > 10
