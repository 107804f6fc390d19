"""One operation of a model: parameters become a request, boto carries it, its answer is read."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlencode

from botocore.exceptions import ParamValidationError
from botocore.model import OperationModel
from botocore.utils import percent_encode_sequence

from botod.daemon.held import current_held
from botod.daemon.models.answering import Reader
from botod.daemon.models.checksums import checksum_headers
from botod.daemon.models.home import Whereabouts
from botod.daemon.models.quirk import Quirk
from botod.daemon.services.answers import MAX_ANSWER_BYTES
from botod.daemon.services.operation import CannotBeCarried, Params, Result, Source
from botod.daemon.services.sending import send_source
from botod.daemon.services.shapes import InvalidParam
from botod.pool.bodies import off_the_loop
from botod.pool.signing import CONTENT_SHA256

UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
"""In the site of a hash that would have to be known before the first byte is sent."""

LENGTH = "ContentLength"

VALUE_BYTES = 256
"""What each value costs beside its text: to write a time takes 40 microseconds, most take one."""


@dataclass(frozen=True)
class Wire:
    """A request as it is written: path and query are quoted. form: what the body was made of."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    form: dict[str, Any] | None
    prefix: str


@dataclass(frozen=True)
class Ask:
    """Asks one operation of a service.

    serializer: botocore's, of the protocol. sends: the parameter that is the body itself. is_s3,
    is_query_v2: boto has a connection of its own for these. is_unsigned: a body need not be hashed.
    by_params: where its requests go, if the parameters have a say in that. is_discovered: AWS's
    host for it is not known.
    """

    model: OperationModel
    serializer: Any
    reader: Reader
    quirk: Quirk
    sends: str
    is_s3: bool
    is_query_v2: bool
    is_unsigned: bool
    by_params: Whereabouts | None
    is_discovered: bool

    def __call__(self, connection: Any, params: Params) -> Result:
        if self.is_discovered and not connection.is_own:
            raise CannotBeCarried(
                "each account has a host of its own for it, which has to be asked for first: "
                "set its endpoint in the profile"
            )
        if self.by_params is not None and not connection.is_own:
            where = partial(self.by_params.site, connection.wanted, params)
            connection = connection.at(off_the_loop(_size(params), where))
        body = params.get(self.sends)
        if isinstance(body, bytes) or body is None:
            source = None
        elif self.is_s3 or self.is_unsigned:
            source = body
        else:
            source, params = None, {**params, self.sends: _whole(body, self.sends)}
        wire = off_the_loop(_size(params), partial(self._written, params, source))
        return self.reader.result(self._sent(connection, params, wire, source), params)

    def _written(self, params: Params, source: Source | None) -> Wire:
        before = self.quirk.before
        given = {**(params if before is None else before(self.model, params))}  # for another try
        if source is not None:
            given[self.sends] = b""
        is_ours = self.model.input_shape is None or LENGTH not in self.model.input_shape.members
        if is_ours:
            given.pop(LENGTH, None)  # how long a stream is; the model has no word for it
        with _param_errors():
            made = self.serializer.serialize_to_request(given, self.model)
        body, headers = _body(made["body"]), dict(made["headers"])
        path, _mark, fixed = made["url_path"].partition("?")
        asked = percent_encode_sequence(made["query_string"] or {})
        if self.quirk.headers is not None:
            headers |= self.quirk.headers(self.model, body)
        headers |= checksum_headers(self.model, params, headers, body if source is None else None)
        headers.pop("Content-Length", None)
        if source is not None:
            headers["Content-Length"] = str(source.length_bytes)
            headers[CONTENT_SHA256] = UNSIGNED_PAYLOAD
        query = "&".join(part for part in (fixed, asked) if part)
        return Wire(
            method=made["method"],
            path=path,
            query=query,
            headers=headers,
            body=body,
            form=made["body"] if isinstance(made["body"], dict) else None,
            prefix=made.get("host_prefix") or "",
        )

    def _sent(self, connection: Any, params: Params, wire: Wire, source: Source | None) -> Any:
        sending: dict[str, Any] = {}
        if source is not None:
            sending["sender"] = partial(send_source, source)
        if self.is_s3:
            bucket = params.get("Bucket", "")
            return connection.asked(
                bucket,
                lambda to: to.make_request(
                    wire.method,
                    bucket,
                    params.get("Key", ""),
                    headers=wire.headers,
                    data=wire.body,
                    query_args=wire.query or None,
                    **sending,
                ),
            )
        if self.is_query_v2:
            form = dict(wire.form or {})
            return connection.make_request(form.pop("Action"), form, "/", wire.method)
        target = f"{wire.path}?{wire.query}" if wire.query else wire.path
        prefix = wire.prefix if self.quirk.is_prefixed and not connection.is_own else ""
        return connection.carry(
            wire.method, target, wire.headers, wire.body, prefix=prefix, **sending
        )


def _whole(source: Source, name: str) -> bytes:
    """A body that has to be hashed before it is sent. Parks."""
    if source.length_bytes > MAX_ANSWER_BYTES:
        raise InvalidParam(
            f"{name} has {source.length_bytes} bytes; this service wants a hash of it beforehand, "
            f"so it is held in memory: {MAX_ANSWER_BYTES} may be"
        )
    held = current_held()
    if held is not None:
        held.take(source.length_bytes)
    return b"".join(source.blocks())


def _body(made: Any) -> bytes:
    if isinstance(made, dict):  # the query protocol's form
        return urlencode(made).encode()
    return made.encode() if isinstance(made, str) else bytes(made)


@contextmanager
def _param_errors() -> Iterator[None]:
    """What a serializer finds wrong that no shape tells."""
    try:
        yield
    except ParamValidationError as error:
        raise InvalidParam(" ".join(str(error).split())) from None


def _size(value: Any) -> int:
    """About how much there is to write, in bytes of a text."""
    if isinstance(value, dict):
        return VALUE_BYTES + sum(map(_size, value.values()))
    if isinstance(value, list):
        return VALUE_BYTES + sum(map(_size, value))
    return VALUE_BYTES + (len(value) if isinstance(value, (str, bytes)) else 0)
