"""What a client writes: messages, and markers for what JSON does not have. No I/O."""

from __future__ import annotations

import binascii

from botod.ipc.markers import pack
from botod.ipc.protocol import Carrier, encode_entry, with_markers
from botod.ipc.sending import FilePart, Pieces

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from botod.ipc.reply import Reply


class Written:
    """One message, to be written in order; the descriptors go with its first byte.

    replies: to the requests in it. timeout_s: how long those may take.
    """

    __slots__ = ("fds", "pieces", "replies", "timeout_s")

    def __init__(
        self,
        pieces: list[bytes],
        fds: Sequence[int] = (),
        *,
        replies: Sequence[Reply] = (),
        timeout_s: float = 0.0,
    ) -> None:
        self.pieces = pieces
        self.fds = fds
        self.replies = replies
        self.timeout_s = timeout_s


class RequestCarrier(Carrier):
    """What a request's params may hold besides: files, and one stream. stream: its number."""

    def __init__(self, stream: int) -> None:
        super().__init__([])
        self.files: list[FilePart] = []
        self.source: Pieces | None = None
        self._stream = stream

    @property
    def markers_num(self) -> int:
        return len(self.blobs) + len(self.files) + (self.source is not None)

    def __call__(self, value: Any) -> Any:
        if isinstance(value, Pieces):
            if self.source is not None:
                raise TypeError("one stream in a request, no more")
            self.source = value
            return {"$stream": self._stream}
        if isinstance(value, FilePart):
            self.files.append(value)
            return value.marker(len(self.files) - 1)
        return super().__call__(value)


def marked(params: dict[str, Any], stream: int) -> tuple[str, RequestCarrier]:
    """Params as JSON, and what the markers in it stand for. Raises TypeError and ValueError."""
    return with_markers(params, lambda: RequestCarrier(stream))


def batch_entry(
    number: int, method: str, params: Mapping[str, Any], options: Mapping[str, Any]
) -> bytes:
    """One request of a batch; bytes stand in the line. Raises TypeError and ValueError."""

    def carry(value: Any) -> Any:
        if isinstance(value, (bytes, bytearray, memoryview)):
            return {"$base64": binascii.b2a_base64(value, newline=False).decode()}
        raise TypeError(f"{type(value).__name__} cannot stand in a batch")

    envelope = {
        "jsonrpc": "2.0",
        "id": number,
        "method": method,
        "params": pack(dict(params), carry),
    }
    return encode_entry(envelope | dict(options))
