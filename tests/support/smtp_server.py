"""A mail server on the running loop: whoever blocks the loop gets no answer from it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

ANSWERS = {b"EHLO": b"250 localhost", b"DATA": b"354 go on", b"QUIT": b"221 bye"}


@dataclass
class SmtpServer:
    """The server while it runs, and the mails it got."""

    port: int = 0
    mails: list[bytes] = field(default_factory=list)

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        writer.write(b"220 localhost\r\n")
        while command := (await reader.readline())[:4].upper():
            writer.write(ANSWERS.get(command, b"250 OK") + b"\r\n")
            if command == b"DATA":
                self.mails.append(await reader.readuntil(b"\r\n.\r\n"))
                writer.write(b"250 OK\r\n")
            if command == b"QUIT":
                break
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


@contextlib.asynccontextmanager
async def smtp_server() -> AsyncIterator[SmtpServer]:
    """Serve on a free loopback port for the length of a block."""
    served = SmtpServer()
    server = await asyncio.start_server(served.converse, "127.0.0.1", 0)
    served.port = server.sockets[0].getsockname()[1]
    async with server:
        yield served
