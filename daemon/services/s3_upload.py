"""An object of any size, from a file, a pipe or a stream: in one request, or in parts.

Each part is a request in a greenlet of its own, which waits for its slot under the job's key; the
job itself holds none. Whatever ends the job before S3 has made an object of the parts, they are
aborted, by a greenlet that neither the job's deadline nor its cancelling reaches.
"""

import asyncio
import hashlib
import re
from functools import partial
from typing import Any

from botod.daemon.attempts import attempt
from botod.daemon.services import s3_multipart
from botod.daemon.services.checksums import DEFAULT, PARAMS
from botod.daemon.services.errors import BadAnswer
from botod.daemon.services.operation import Params, PartedBody, Result, Source
from botod.daemon.services.s3_headers import CUSTOMER_KEY, WHOSE
from botod.daemon.services.s3_multipart import GONE, Part
from botod.daemon.services.s3_objects import head_object, put_object
from botod.daemon.services.shapes import InvalidParam
from botod.daemon.upload_files import OpenUpload
from botod.pool import Crew, OutcomeUnknown, PoolError, current_terms, on_terms, spawn_apart, wait

from boto.exception import BotoServerError

PART_BYTES = 8 * 1024 * 1024
"""Of a part, and of the largest object that goes in one request: as boto3 has it. S3 takes none
below 5 MiB; a larger one would be more to send again when it breaks off."""

MAX_PARTS = 10_000
"""S3's bound."""

MAX_PART_BYTES = 5 * 1024**3
"""S3's bound."""

GATHERED_MAX_BYTES = 64 * 1024 * 1024
"""Of a part that lies in memory."""

GROWS_AFTER = 1000
"""Where the length is not known, parts grow to the double after so many: 8 GB go in parts of 8 MiB,
and as many parts as S3 takes make half a TB."""

CREATE_S = 30.0
"""For the first request, when nobody waits for it any more: its answer says what to abort."""

ETAG = re.compile(r'"?([0-9a-f]{32})"?')

REFUSED = range(400, 500)


def upload_file(connection: Any, params: Params) -> Result:
    """As put_object; its Size says how much that was, where the caller did not know."""
    body = params.get("Body", b"")
    if isinstance(body, bytes):
        return attempt(lambda: put_object(connection, params)) | {"Size": len(body)}
    algorithm = _algorithm(connection, params)
    whole = body.whole(PART_BYTES)
    if whole is not None:
        asked = {} if algorithm is None else {"ChecksumAlgorithm": algorithm}
        size = len(whole) if isinstance(whole, bytes) else whole.length_bytes
        put = params | asked | {"Body": whole}
        return attempt(lambda: put_object(connection, put)) | {"Size": size}
    return _Upload(connection, params, body, algorithm).run()


def part_bytes(length: int | None, number: int) -> int:
    """How long the part with this number has to be. Raises InvalidParam if none is long enough."""
    if length is None:
        if number > MAX_PARTS:
            raise InvalidParam("Body is too long for one of unknown length: pass a file")
        return min(PART_BYTES << ((number - 1) // GROWS_AFTER), GATHERED_MAX_BYTES)
    size = max(PART_BYTES, -(-length // MAX_PARTS))
    if size > MAX_PART_BYTES:
        raise InvalidParam(f"Body has {length} bytes; S3 takes {MAX_PARTS * MAX_PART_BYTES}")
    return size


class _Upload:
    """One that goes in parts."""

    def __init__(
        self, connection: Any, params: Params, body: PartedBody, algorithm: str | None
    ) -> None:
        self._connection = connection
        self._params = params
        self._body = body
        self._algorithm = algorithm
        self._parts: dict[int, Part] = {}

    def run(self) -> Result:
        """All of it. Parks."""
        uploads = self._connection.open_uploads
        upload = self._created()
        try:
            uploads.begin(upload)
            with Crew(self._body.at_once) as crew:
                self._send_parts(crew, upload.upload_id)
                crew.join()
            self._body.check()
            with on_terms(current_terms().part(idempotent=True)):
                result = self._completed(upload)
        except BaseException:
            uploads.abort(upload, self._connection)
            raise
        uploads.end(upload)
        return result | {"Size": sum(part.size_bytes for part in self._sent())}

    def _created(self) -> OpenUpload:
        """Begin it. If the job ends meanwhile, what comes of that is aborted."""
        deadline = asyncio.get_running_loop().time() + CREATE_S
        # An upload without parts costs nothing: one more, after a try that broke off, does no harm.
        with on_terms(current_terms().part(idempotent=True)):
            creating = spawn_apart(deadline, self._create)
        try:
            return wait(asyncio.shield(creating))
        except BaseException:
            creating.add_done_callback(self._abort_created)
            raise

    def _create(self) -> OpenUpload:
        create = partial(s3_multipart.create, self._connection, self._params, self._algorithm)
        upload_id = attempt(create)
        whose = {name: self._params[name] for name in WHOSE if name in self._params}
        profile = self._connection.open_uploads.profile
        return OpenUpload(profile, self._params["Bucket"], self._params["Key"], upload_id, whose)

    def _abort_created(self, creating: "asyncio.Future[OpenUpload]") -> None:
        if not creating.cancelled() and creating.exception() is None:
            self._connection.open_uploads.abort(creating.result(), self._connection)

    def _send_parts(self, crew: Crew, upload_id: str) -> None:
        number = 1
        while True:
            size = part_bytes(self._body.length_bytes, number)
            part = self._body.next_part(size, partial(_one_less, crew))
            if part is None:
                return
            with on_terms(current_terms().part(idempotent=True)):
                crew.start(self._send_part, upload_id, number, part)
            number += 1

    def _send_part(self, upload_id: str, number: int, source: Source) -> None:
        self._parts[number] = attempt(
            lambda: s3_multipart.upload_part(
                self._connection, self._params, upload_id, number, source, algorithm=self._algorithm
            )
        )
        self._body.sent(source)

    def _completed(self, upload: OpenUpload) -> Result:
        """Have S3 make the object; where its answer does not say, look whether it has."""
        try:
            return attempt(
                lambda: s3_multipart.complete(
                    self._connection, self._params, upload.upload_id, self._sent(), self._algorithm
                )
            )
        except (BadAnswer, BotoServerError, ConnectionError, OutcomeUnknown) as error:
            if not _may_be_done(error):
                raise
            found = self._found(upload)
            if found is None:
                raise
            return found

    def _sent(self) -> list[Part]:
        return [part for _number, part in sorted(self._parts.items())]

    def _found(self, upload: OpenUpload) -> Result | None:
        """What S3 says of the object, if it is the one of this upload.

        That is gone then. If it is not, an object of the same bytes is an older one.
        """
        asked = {"Bucket", "Key", *CUSTOMER_KEY, *WHOSE}
        params = {name: value for name, value in self._params.items() if name in asked}
        try:
            if attempt(lambda: s3_multipart.is_known(self._connection, upload)) is not False:
                return None
            result = attempt(lambda: head_object(self._connection, params))
        except (BadAnswer, BotoServerError, ConnectionError, PoolError):
            return None
        return result if result.get("ETag") == whole_etag(self._sent()) else None


def whole_etag(parts: list[Part]) -> str | None:
    """The ETag of an object of these parts; None: theirs are not MD5s, from which it follows."""
    digests = [ETAG.fullmatch(part.etag) for part in parts]
    if not all(digests):
        return None
    together = b"".join(bytes.fromhex(found[1]) for found in digests if found)
    return f'"{hashlib.md5(together, usedforsecurity=False).hexdigest()}-{len(parts)}"'


def _algorithm(connection: Any, params: Params) -> str | None:
    """Of the checksums that go with the parts.

    The default is for S3 itself: not all servers that speak like it know them.
    """
    given = [PARAMS[name] for name in PARAMS if name in params]
    if given:
        return given[0]
    default = DEFAULT if connection.is_aws else None
    found: str | None = params.get("ChecksumAlgorithm", default)
    return found


def _one_less(crew: Crew) -> bool:
    """Wait until one part fewer is under way; False: none is."""
    if not crew.running_num:
        return False
    crew.join_one()
    return True


def _may_be_done(error: Exception) -> bool:
    if not isinstance(error, BotoServerError):
        return True
    return error.status not in REFUSED or error.error_code == GONE
