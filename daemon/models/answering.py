"""What a service answered, by its model: bounded, checked, in AWS's shapes."""

import json
import re
from dataclasses import dataclass
from typing import Any

from botocore.awsrequest import HeadersDict
from botocore.model import OperationModel, StructureShape
from botocore.parsers import ResponseParserError

from botod.daemon.models.parsing import MISREAD
from botod.daemon.models.quirk import Quirk
from botod.daemon.models.s3_quirks import ERROR_DOCUMENT
from botod.daemon.services.answers import MAX_ERROR_BYTES, OK, Download, body_of, metadata
from botod.daemon.services.errors import BadAnswer, DetailedError
from botod.daemon.services.operation import Params, Result
from botod.pool.bridge import in_thread

PARSED_HERE_BYTES = 16 * 1024
"""A longer answer is parsed in a thread: so many take up to 5 ms."""

PAGE = re.compile(rb"\s*<(?:!doctype html|html)[\s>]", re.IGNORECASE)

WORDS_MAX = 200
"""Of what a parser says."""

FAILED = 500
"""How an error inside a 200 is read."""


@dataclass(frozen=True)
class Reader:
    """Reads the answers of one operation.

    receives: the result that is handed on unread. may_fail_late: an error may come as a 200.
    """

    model: OperationModel
    parser: Any
    quirk: Quirk
    receives: str
    may_fail_late: bool

    def result(self, response: Any, params: Params) -> Result:
        """What a response says. Raises BotoServerError, BadAnswer, AnswerTooLarge."""
        if response.status not in OK:
            body = response.read(MAX_ERROR_BYTES)
            response.close()
            raise self._error(response, body, response.status)
        if self.receives:
            return self._unread(response, params)
        body = body_of(response)
        if self.may_fail_late and ERROR_DOCUMENT.match(body):
            raise self._error(response, body, FAILED)
        if PAGE.match(body) and not self._is_any:
            raise BadAnswer("the answer is a page of HTML")
        if len(body) <= PARSED_HERE_BYTES:
            return self._read(response, body, params)
        return in_thread(lambda: self._read(response, body, params))

    def _unread(self, response: Any, params: Params) -> Result:
        body = Download(response)
        try:
            return self._read(response, b"", params) | {self.receives: body}
        except BaseException:
            body.close()
            raise

    @property
    def _is_any(self) -> bool:
        """Whether the body is the user's own."""
        output = self.model.output_shape
        payload = None if output is None else output.serialization.get("payload")
        if output is None or payload is None:
            return False
        return output.members[payload].type_name in ("blob", "string")

    def _read(self, response: Any, body: bytes, params: Params) -> Result:
        try:
            parsed: Result = self.parser.parse(
                _as_botocore_has_it(response, response.status, self._raw(body)),
                self.model.output_shape,
            )
            inner = parsed.pop("ResponseMetadata", None) or {}
            if self.quirk.after is not None:
                parsed = self.quirk.after(params, parsed, body)
        except MISREAD as error:
            raise BadAnswer(
                f"the answer is not what {self.model.name} gives: {_briefly(error)}"
            ) from None
        meta = metadata(response)
        if inner.get("RequestId"):
            meta["ResponseMetadata"]["RequestId"] = inner["RequestId"]
        return {name: _whole(value) for name, value in parsed.items()} | meta

    def _raw(self, body: bytes) -> Any:
        """As the parser takes a body; it would make a text of a blob that is one."""
        output = self.model.output_shape
        payload = None if output is None else output.serialization.get("payload")
        if output is not None and payload and output.members[payload].type_name == "blob":
            return bytearray(body)
        return body

    def _error(self, response: Any, body: bytes, status: int) -> DetailedError:
        answer = _as_botocore_has_it(response, status, body)
        try:
            parsed: Result = self.parser.parse(answer, None)
            details = self._details(answer, parsed)
        except MISREAD:
            parsed, details = {}, {}
        said, inner = parsed.get("Error") or {}, parsed.get("ResponseMetadata") or {}
        return DetailedError(
            response,
            code=said.get("Code") or "",
            message=said.get("Message") or "",
            request_id=inner.get("RequestId") or _request_id(response),
            details=details,
        )

    def _details(self, answer: Any, parsed: Result) -> Result:
        """The members that the model has for an error, but for its message."""
        code = (parsed.get("Error") or {}).get("Code")
        shape: StructureShape | None = self.model.service_model.shape_for_error_code(code)
        if shape is None:
            return {}
        found: Result = self.parser.parse(answer, shape)
        return {name: value for name, value in found.items() if name.lower() not in _SAID}


_SAID = frozenset({"message", "code", "type", "responsemetadata"})


def _request_id(response: Any) -> str:
    return str(metadata(response)["ResponseMetadata"].get("RequestId", ""))


def _as_botocore_has_it(response: Any, status: int, body: Any) -> dict[str, Any]:
    headers = HeadersDict(response.getheaders())
    return {"status_code": status, "headers": headers, "body": body, "context": {}}


def _whole(value: Any) -> Any:
    return bytes(value) if isinstance(value, bytearray) else value


def _briefly(error: BaseException) -> str:
    """What is wrong with a document. Other errors quote from it, which is nobody's business."""
    is_about_form = isinstance(error, (json.JSONDecodeError, ResponseParserError))
    words = " ".join(str(error).split()) if is_about_form else ""
    return words[:WORDS_MAX] or f"it cannot be read ({type(error).__name__})"
