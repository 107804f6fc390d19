"""An object of any size, into a file or wherever its bytes are wanted.

A large one that goes into a file comes in parts, each a request in a greenlet of its own. They ask
for one ETag: parts of two objects are never mixed.
"""

import re
from collections.abc import Sequence
from typing import Any

from botod.daemon.attempts import attempt
from botod.daemon.held import current_held
from botod.daemon.services import checksums
from botod.daemon.services.answers import Check, Download
from botod.daemon.services.errors import BadAnswer, ObjectChanged
from botod.daemon.services.operation import Params, Place, Result
from botod.daemon.services.pace import Pace
from botod.daemon.services.s3 import request
from botod.daemon.services.s3_headers import CUSTOMER_KEY, READ_QUERY, WHOSE, headers_of, query_of
from botod.daemon.services.s3_objects import get_object
from botod.pool import Crew, current_terms, on_terms
from botod.pool.pieces import Piece, size_of

PART_BYTES = 8 * 1024 * 1024
"""Of a part: as boto3 has it; some 100 ms on one connection to S3, a fraction of which is waiting
for its first byte."""

PARTS_AT_ONCE = 8
"""At most. S3 gives one connection some 50 to 100 MB/s; eight fill what a host usually has, and are
an eighth of the slots to a host: no job has them all."""

ONE_REQUEST_BYTES = 2 * PART_BYTES
"""Up to this an object comes by one request: two would not be done much sooner."""

PARTIAL = 206

CHANGED = 412

CONTENT_RANGE = re.compile(r"bytes (\d{1,20})-(\d{1,20})/(\d{1,20})")


def download_file(connection: Any, params: Params) -> Result:
    place: Place | None = params.get("Body")
    rest = {name: value for name, value in params.items() if name != "Body"}
    result = attempt(lambda: get_object(connection, rest))
    body: Download = result["Body"]
    if place is None or body.length_bytes is None:
        return result
    try:
        place.fit(body.length_bytes)
        parts = _Parts(connection, rest, place, result.get("ETag"), body)
        if body.length_bytes <= ONE_REQUEST_BYTES:
            parts.take(body)
        else:
            # At once, when hardly more than its head has come: its parts are asked for one by one.
            body.close()
            parts.run()
    finally:
        body.close()
    known = {name: value for name, value in result.items() if name != "Body"}
    return known | {"ContentLength": body.length_bytes}


class _Parts:
    """An object that comes in parts. body: what is known of it by an answer."""

    def __init__(
        self, connection: Any, params: Params, place: Place, etag: str | None, body: Download
    ) -> None:
        assert body.length_bytes is not None, "parts of an object of unknown length"
        self._connection = connection
        self._place = place
        self._etag = etag
        self._length = body.length_bytes
        self._query = query_of(params, {"VersionId": READ_QUERY["VersionId"]})
        self._headers = headers_of(params, CUSTOMER_KEY | WHOSE)
        self._params = {name: params[name] for name in ("Bucket", "Key")}
        # All of it is shown to the parts' checksums: once is enough.
        self._check, body.check = body.check, None

    def take(self, body: Download) -> None:
        """All of it as one part, whose answer is here already. Parks."""
        whole = _Part(0, self._length, self._check)
        with on_terms(current_terms().part(idempotent=True)):
            try:
                self._write(whole, body)
            except ConnectionError:
                attempt(lambda: self._go_on(whole))
        whole.check()

    def run(self) -> None:
        """All of it. Parks."""
        held = current_held()
        block_bytes = self._place.block_bytes
        at_once = PARTS_AT_ONCE if held is None else held.take_some(block_bytes, PARTS_AT_ONCE)
        check = self._check
        if check is not None and check.algorithm not in checksums.COMBINABLE:
            check = None  # that of the whole does not follow from those of its parts
        whole = None if check is None else checksums.Joined(check.algorithm)
        pace = Pace(at_once)
        with Crew(pace.at_once) as crew, on_terms(current_terms().part(idempotent=True)):
            for begin in range(0, self._length, PART_BYTES):
                part = _Part(begin, min(begin + PART_BYTES, self._length), check)
                crew.start(self._fetch, part, whole, pace)
                crew.at_once = pace.at_once
            crew.join()
        if check is not None and whole is not None:
            checksums.require(check.algorithm, told=check.text, found=whole.text())

    def _fetch(self, part: "_Part", whole: checksums.Joined | None, pace: Pace) -> None:
        begin = part.at
        attempt(lambda: self._go_on(part))
        pace.came(part.end - begin)
        if whole is not None:
            whole.add(begin, part.checksum)

    def _go_on(self, part: "_Part") -> None:
        """Ask for what is missing of a part: one that broke off is not begun anew."""
        if part.at < part.end:
            self._write(part, self._asked(part))

    def _write(self, part: "_Part", body: Download) -> None:
        """Write what comes. Raises BadAnswer if that is not all of the part."""
        try:
            while pieces := body.read_pieces(min(self._place.block_bytes, part.end - part.at)):
                self._place.write_at(part.at, pieces)
                part.take(pieces)
        finally:
            body.close()
        if part.at < part.end:
            raise BadAnswer(f"a part of the object ended {part.end - part.at} bytes too soon")

    def _asked(self, part: "_Part") -> Download:
        """An answer with the missing bytes of a part. Raises ObjectChanged, BadAnswer."""
        if self._etag is None:
            raise BadAnswer("S3 does not say the object's ETag: it cannot come in parts")
        headers = self._headers | {"If-Match": self._etag}
        headers["Range"] = f"bytes={part.at}-{part.end - 1}"
        response = request(self._connection, "GET", self._params, self._query, headers)
        if response.status == CHANGED:
            response.close()
            raise ObjectChanged(CHANGED_WORDS)
        body = Download(response)
        try:
            self._require(response, part.at, part.end)
        except BaseException:
            body.close()
            raise
        return body

    def _require(self, response: Any, begin: int, end: int) -> None:
        """See that an answer is the part that was asked for."""
        said = response.getheader("content-range") or ""
        found = CONTENT_RANGE.fullmatch(said)
        numbers = found and tuple(map(int, found.groups()))
        if response.status != PARTIAL or numbers is None:
            raise BadAnswer("the server gives no parts of objects; use get_object")
        if response.getheader("etag") != self._etag or numbers[2] != self._length:
            raise ObjectChanged(CHANGED_WORDS)
        if numbers[:2] != (begin, end - 1):
            raise BadAnswer(f"bytes {begin}-{end - 1} were asked for, and {said!r} comes")


class _Part:
    """The bytes from `begin` to `end`. at: up to where they are written."""

    def __init__(self, begin: int, end: int, check: Check | None) -> None:
        self.at = begin
        self.end = end
        self._check = check
        self._checksum = None if check is None else checksums.ALGORITHMS[check.algorithm]()

    @property
    def checksum(self) -> checksums.Checksum:
        assert self._checksum is not None, "there is none to compare with"
        return self._checksum

    def take(self, pieces: Sequence[Piece]) -> None:
        """More of it was written."""
        self.at += size_of(pieces)
        if self._checksum is not None:
            checksums.take_in(self._checksum, pieces)

    def check(self) -> None:
        """Where it is the whole object. Raises BadAnswer."""
        if self._check is not None:
            text = self.checksum.text()
            checksums.require(self._check.algorithm, told=self._check.text, found=text)


CHANGED_WORDS = (
    "the object was replaced while it was downloaded; what was written is a part of the one before"
)
