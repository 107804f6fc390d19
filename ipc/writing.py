"""What a client writes: messages, and markers for what JSON does not have. No I/O."""

from __future__ import annotations

import binascii

from botod.ipc.markers import pack
from botod.ipc.protocol import Carrier, encode_entry
from botod.ipc.sending import FilePart, Pieces
from botod.ipc.tuples import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


class Written(NamedTuple):
    """One message, to be written in order; the descriptors go with its first byte."""

    pieces: list[bytes]
    fds: tuple[int, ...] = ()


class RequestCarrier(Carrier):
    """Gives markers for what a request's params may hold beside bytes."""

    def __init__(self, stream: int) -> None:
        super().__init__([])
        self.files: list[FilePart] = []
        self.source: Pieces | None = None
        self._stream = stream

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
