# ruff: noqa: INP001, T201 - a program of its own, which talks to a terminal
"""The general trick, on something that is not HTTP: smtplib over asyncio's streams.

    python examples/mail.py localhost 25 me@example.org you@example.org

A synchronous library has a seam where it gets its socket. Give it an object there that looks like
a socket and waits for an asynchronous driver; run the library in a spawned function. That is all
that the pool does with boto, too.
"""

import asyncio
import smtplib
import sys
from typing import Any

from botod.pool import spawn, wait


class StreamSocket:
    """As much of a socket, and of the file made from it, as smtplib uses."""

    def __init__(self, host: str, port: int) -> None:
        self._reader, self._writer = wait(asyncio.open_connection(host, port))

    def makefile(self, _mode: str) -> "StreamSocket":
        return self

    def readline(self, _limit: int = -1) -> bytes:
        return wait(self._reader.readline())

    def sendall(self, data: bytes) -> None:
        self._writer.write(data)
        wait(self._writer.drain())

    def close(self) -> None:
        self._writer.close()


class GreenletSMTP(smtplib.SMTP):
    """smtplib's client, for use in spawned functions."""

    def _get_socket(self, host: str, port: int, timeout: float) -> Any:  # noqa: ARG002 - smtplib's
        return StreamSocket(host, port)


def send(host: str, port: int, sender: str, receiver: str, text: str) -> None:
    """Send a mail: blocking code, as in any script."""
    with GreenletSMTP(host, port, local_hostname="localhost") as smtp:
        smtp.sendmail(sender, [receiver], text)


async def main(host: str, port: int, sender: str, receiver: str) -> None:
    """Send ten mails at once."""
    texts = [f"Subject: mail {number}\r\n\r\nHello.\r\n" for number in range(10)]
    calls = (spawn(send, host, port, sender, receiver, text) for text in texts)
    await asyncio.gather(*calls)
    print(f"sent {len(texts)} mails")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), *sys.argv[3:]))
