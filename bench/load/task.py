"""What is to be asked for."""

from typing import NamedTuple

MESSAGE = "This is a test message"
SIZES = {"get": 1024, "get64": 65536, "put": 1024}


class Task(NamedTuple):
    """So many requests of one kind, so many in flight.

    kind: get, get64, put (S3, with objects of 1 or 64 KiB) or sqs (SendMessage). socket, pids: the
    daemon's, for those that ask it. ca_file: "" for plain HTTP.
    """

    kind: str
    host: str
    port: int
    ca_file: str
    number: int
    in_flight: int
    warm_up: int
    socket: str = ""
    pids: tuple[int, ...] = ()

    @property
    def url(self) -> str:
        """Of the server."""
        return f"http{'s' if self.ca_file else ''}://{self.host}:{self.port}"

    @property
    def key(self) -> str:
        """What is got; put is another."""
        return "k64" if self.kind == "get64" else "k"

    @property
    def is_get(self) -> bool:
        return self.kind in {"get", "get64"}

    @property
    def body(self) -> bytes:
        """What is put."""
        return b"x" * SIZES["put"]
