"""What whoever started this process wants to hear of it: systemd, or the master of workers.

systemd's protocol: lines `NAME=value` in a datagram to a Unix socket. Without such a socket nothing
is said. Nothing here waits: what does not fit into the socket's buffer is logged, and not said.
"""

import asyncio
import logging
import os
import socket
import time
from collections.abc import Callable, Mapping

logger = logging.getLogger(__name__)

BEATS_A_TIMEOUT = 3
"""How often "I am alive" is said in the time after which silence means that we are not: one or two
may be late."""

REREAD = "BOTOD_REREAD=1"
"""To a master: its workers have the configuration of the file as it is now, those to come need it,
too."""

WORDS_BYTES = 4096
"""Of what a master says: why a configuration was refused, mistake by mistake."""

STATUS_S = 10.0
"""Between two status lines where nobody asks for a sign of life."""


class Notifier:
    """Says things to `sock`, a connected datagram socket; None: to nobody.

    watchdog_s: after so long a silence the other side takes this process for stuck; 0: never.
    """

    def __init__(self, sock: socket.socket | None = None, *, watchdog_s: float = 0.0) -> None:
        self._sock = sock
        self.watchdog_s = 0.0 if sock is None else watchdog_s
        if sock is not None:
            sock.setblocking(False)

    @property
    def is_heard(self) -> bool:
        """Whether there is anybody to tell."""
        return self._sock is not None

    def ready(self) -> None:
        """Jobs can be taken, for the first time or after a reload."""
        self.say("READY=1")

    def reloading(self) -> None:
        """A reload begins; `ready` ends it. The time lets systemd tell it from an earlier one."""
        self.say("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        self.say("STOPPING=1")

    def alive(self) -> None:
        self.say("WATCHDOG=1")

    def status(self, words: str) -> None:
        """One line for a person, which `systemctl status` shows."""
        self.say(f"STATUS={words}")

    def say(self, *lines: str) -> None:
        if self._sock is None:
            return
        try:
            self._sock.send("\n".join(lines).encode())
        except (BrokenPipeError, ConnectionResetError):
            return  # a master that is gone; `listen` tells
        except OSError as error:
            logger.warning("cannot tell whoever started us %s: %s", lines[0], error)

    def listen(self, *, alone: Callable[[], None], refused: Callable[[str], None]) -> None:
        """Hear a master. alone: it has gone. refused: it does not have a configuration, and why."""
        sock = self._sock
        if sock is not None and sock.type == socket.SOCK_SEQPACKET:
            asyncio.get_running_loop().add_reader(sock, self._hear, sock, alone, refused)

    def close(self) -> None:
        """Say no more; who listens has heard the end before."""
        sock, self._sock = self._sock, None
        if sock is not None:
            sock.close()

    def _hear(
        self, sock: socket.socket, alone: Callable[[], None], refused: Callable[[str], None]
    ) -> None:
        """Take all that is there: libuv tells of an error once, and then of nothing behind it."""
        while words := _said(sock):
            refused(words)
        if words is None:
            return
        asyncio.get_running_loop().remove_reader(sock)
        self.close()
        alone()


def _said(sock: socket.socket) -> str | None:
    """What a master says; None: nothing now; nothing at all: it has gone."""
    try:
        return sock.recv(WORDS_BYTES, socket.MSG_DONTWAIT).decode(errors="replace")
    except BlockingIOError:
        return None
    except OSError:
        return ""


def notifier(environ: Mapping[str, str] = os.environ) -> Notifier:
    """The one that the environment asks for. What it asks for and cannot be reached is logged."""
    address = environ.get("NOTIFY_SOCKET", "")
    if not address:
        return Notifier()
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        sock.connect("\0" + address[1:] if address.startswith("@") else address)
    except OSError as error:
        sock.close()
        logger.warning("NOTIFY_SOCKET=%s cannot be reached: %s", address, error)
        return Notifier()
    return Notifier(sock, watchdog_s=_watchdog_s(environ))


def _watchdog_s(environ: Mapping[str, str]) -> float:
    is_ours = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
    microseconds = environ.get("WATCHDOG_USEC", "")
    return int(microseconds) / 1_000_000 if is_ours and microseconds.isdecimal() else 0.0


async def keep_telling(notifier: Notifier, status: Callable[[], str]) -> None:
    """Say that this loop answers, and its status when that is another; until cancelled."""
    said = ""
    while notifier.is_heard:
        if notifier.watchdog_s:
            notifier.alive()
        words = status()
        if words != said:
            notifier.status(words)
            said = words
        await asyncio.sleep(notifier.watchdog_s / BEATS_A_TIMEOUT or STATUS_S)
