"""S3's checksums: computed of what is sent, and compared with what comes.

All are sent as base64 of the number, high byte first. Of a whole object S3 knows one that was taken
over all of it ("FULL_OBJECT"), or one over the checksums of its parts ("COMPOSITE").
"""

import hashlib
import importlib
import zlib
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, Protocol

from botod.daemon.services.errors import BadAnswer
from botod.daemon.services.operation import Result, Source
from botod.pool.bodies import off_the_loop
from botod.pool.pieces import Piece, size_of


class Checksum(Protocol):
    """A checksum in the making."""

    def update(self, data: bytes) -> None: ...

    def text(self) -> str:
        """As S3 writes it."""


class Crc:
    """A cyclic redundancy check: that of two pieces together follows from those of each.

    value, size_bytes: of what was taken in so far.
    """

    def __init__(self, calc: Callable[[bytes, int], int], width: int) -> None:
        self.value = 0
        self.size_bytes = 0
        self._calc = calc
        self._width = width

    def update(self, data: bytes) -> None:
        self.value = self._calc(data, self.value)
        self.size_bytes += len(data)

    def text(self) -> str:
        return b64encode(self.value.to_bytes(self._width)).decode()

    def join(self, model: Any, after: "Crc") -> None:
        """Take in what another one took in, without seeing it."""
        self.value = model.combine(self.value, after.value, after.size_bytes)
        self.size_bytes += after.size_bytes


class _Sha:
    """One of hashlib's."""

    def __init__(self, name: str) -> None:
        self._hash = hashlib.new(name, usedforsecurity=False)

    def update(self, data: bytes) -> None:
        self._hash.update(data)

    def text(self) -> str:
        return b64encode(self._hash.digest()).decode()


@cache  # some milliseconds and 20 KiB of tables each
def _model(name: str) -> Any:
    return importlib.import_module("anycrc").Model(name)  # which few jobs need


ALGORITHMS: dict[str, Callable[[], Checksum]] = {
    "CRC64NVME": lambda: Crc(_model("CRC64-NVME").calc, 8),
    "CRC32": lambda: Crc(zlib.crc32, 4),
    "CRC32C": lambda: Crc(_model("CRC32-ISCSI").calc, 4),
    "SHA256": lambda: _Sha("sha256"),
    "SHA1": lambda: _Sha("sha1"),
}
"""By S3's names, the quickest first."""

COMBINABLE = {"CRC64NVME": "CRC64-NVME", "CRC32": "CRC32", "CRC32C": "CRC32-ISCSI"}
"""Those whose value over a whole object follows from those of its parts."""

DEFAULT = "CRC64NVME"
"""What S3 computes by itself where nothing is said, and the quickest: 10 GB/s and more."""

PARAMS: dict[str, str] = {f"Checksum{name}": name for name in ALGORITHMS}
"""What a caller may give, or is given, and of which algorithm it is."""


def header_of(algorithm: str) -> str:
    return f"x-amz-checksum-{algorithm.lower()}"


HEADERS = {name: header_of(name) for name in ALGORITHMS}
"""By the algorithms, in their order."""

RESULT: dict[str, str] = {param: HEADERS[name] for param, name in PARAMS.items()} | {
    "ChecksumType": "x-amz-checksum-type"
}
"""Results' names and the headers in which they come."""


def take_in(checksum: Checksum, pieces: Sequence[Piece]) -> None:
    """Show it what came; off the loop if it is much. Parks.

    Put together first: each call lets the loop's thread go on, and may have to wait for it after.
    """
    off_the_loop(size_of(pieces), lambda: checksum.update(b"".join(pieces)))


def checksum_of(algorithm: str, body: "bytes | Source") -> Checksum:
    """That of a whole body, before it is sent. Parks. Raises InvalidParam if it comes once."""
    checksum = ALGORITHMS[algorithm]()
    if isinstance(body, bytes):
        take_in(checksum, [body])
    else:
        body.look_through(checksum.update)
    return checksum


class Joined:
    """That of a whole, from those of its parts, which may come in any order."""

    def __init__(self, algorithm: str) -> None:
        self._whole = ALGORITHMS[algorithm]()
        self._model = _model(COMBINABLE[algorithm])
        self._waiting: dict[int, Checksum] = {}

    def add(self, begin: int, part: Checksum) -> None:
        """Take in a part that begins there. Only those whose turn has not come are kept."""
        self._waiting[begin] = part
        assert isinstance(self._whole, Crc), "that of a whole does not follow from its parts"
        while (following := self._waiting.pop(self._whole.size_bytes, None)) is not None:
            assert isinstance(following, Crc), "a part of another kind"
            self._whole.join(self._model, following)
            if not following.size_bytes:
                return

    def text(self) -> str:
        """Once all have come."""
        assert not self._waiting, "a part is missing"
        return self._whole.text()


def joined(algorithm: str, parts: Iterable[Checksum]) -> str:
    """That of a whole, from those of its parts, in their order."""
    whole = Joined(algorithm)
    at = 0
    for part in parts:
        assert isinstance(part, Crc), "parts of another kind"
        whole.add(at, part)
        at += part.size_bytes
    return whole.text()


class Expected:
    """The checksum that an answer's body has to have: a Check of what comes."""

    def __init__(self, algorithm: str, text: str) -> None:
        self.algorithm = algorithm
        self.text = text
        self._checksum = ALGORITHMS[algorithm]()

    def update(self, pieces: Sequence[Piece]) -> None:
        take_in(self._checksum, pieces)

    def check(self) -> None:
        require(self.algorithm, told=self.text, found=self._checksum.text())


def require(algorithm: str, *, told: str, found: str) -> None:
    """Raise BadAnswer unless a checksum is the one that S3 tells."""
    if found != told:
        raise BadAnswer(
            f"the body's {algorithm} is {found}, but S3 says {told}: it was changed on its way, or "
            "where it lies"
        )


def headers(algorithm: str, text: str) -> dict[str, str]:
    """What goes with a body whose checksum is `text`."""
    return {"x-amz-sdk-checksum-algorithm": algorithm, header_of(algorithm): text}


def compare(sent: Mapping[str, str], result: Result) -> None:
    """Raise BadAnswer if S3 names another checksum than what was sent with the body."""
    for param, name in PARAMS.items():
        header = HEADERS[name]
        if header in sent and param in result:
            require(name, told=result[param], found=sent[header])


def expected_of(response: Any) -> Expected | None:
    """What a whole object's answer says of its checksum; None: nothing that can be compared."""
    fields = response.fields
    if fields.get("x-amz-checksum-type") == "COMPOSITE":
        return None
    for name, header in HEADERS.items():
        # value-N is over the checksums of N parts
        if header in fields and fields[header] and "-" not in fields[header]:
            return Expected(name, fields[header])
    return None
