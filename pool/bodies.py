"""Request bodies that are hashed without holding up the loop.

A key's upload reads its file twice over for MD5 and SHA-256 before the first byte is sent; boto
hashes other bodies when it signs. Where that is done by a greenlet, a thread does the hashing.
"""

import hashlib
from collections.abc import Callable
from typing import Any, TypeVar

from botod.pool import bridge

import boto.s3.key
import boto.utils

T = TypeVar("T")

OFFLOAD_BYTES = 256 * 1024
"""As much is hashed in a thread: MD5 takes a third of a millisecond for it, there and back 0.1."""

GATHER_BYTES = 1024 * 1024
"""boto reads a file in blocks of 8 KiB; so many bytes of them are hashed at a time."""


def off_the_loop(size_bytes: int, call: Callable[[], T]) -> T:
    """`call()`; in a thread if there is much to do and the caller is a greenlet, which parks."""
    return call() if size_bytes < OFFLOAD_BYTES else bridge.in_thread(call)


def sha256(data: bytes) -> str:
    """The hex digest; `off_the_loop` without a closure, for nearly all bodies are small."""
    if len(data) < OFFLOAD_BYTES:
        return hashlib.sha256(data).hexdigest()
    return bridge.in_thread(lambda: hashlib.sha256(data).hexdigest())


class _Hash:
    """A hash of hashlib's for many small pieces, taken in where they do not hold up the loop."""

    def __init__(self, algorithm: Callable[[], Any]) -> None:
        self._hash = algorithm()
        self._pieces: list[bytes] = []
        self._held_bytes = 0

    def update(self, piece: bytes) -> None:
        self._pieces.append(piece)
        self._held_bytes += len(piece)
        if self._held_bytes >= GATHER_BYTES:
            self._take_in()

    def digest(self) -> bytes:
        self._take_in()
        return bytes(self._hash.digest())

    def hexdigest(self) -> str:
        self._take_in()
        return str(self._hash.hexdigest())

    def _take_in(self) -> None:
        if not self._pieces:
            return
        pieces, self._pieces = self._pieces, []
        held_bytes, self._held_bytes = self._held_bytes, 0
        off_the_loop(held_bytes, lambda: self._hash.update(b"".join(pieces)))


def compute_hash(
    fp: Any, buf_size: int = 8192, size: int | None = None, hash_algorithm: Any = hashlib.md5
) -> Any:
    """`boto.utils.compute_hash`: hex digest, base64 digest, length; the file stays where it is.

    The file is read by the caller, hence it may be one that parks, and nothing reads it any more
    once the caller was interrupted.
    """
    return boto.utils.compute_hash(fp, buf_size, size, lambda: _Hash(hash_algorithm))


def compute_md5(fp: Any, buf_size: int = 8192, size: int | None = None) -> Any:
    """`boto.utils.compute_md5`."""
    return compute_hash(fp, buf_size, size)


# A Key hashes the whole file before an upload. Its module's own names are replaced, boto.utils not.
boto.s3.key.compute_hash = compute_hash
boto.s3.key.compute_md5 = compute_md5
