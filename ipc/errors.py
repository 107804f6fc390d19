"""What can go wrong on the wire and behind it. Imports only `enum`."""

from __future__ import annotations

from enum import IntEnum

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Code(IntEnum):
    """The codes of JSON-RPC errors; PROTOCOL.md says what each means and what to do."""

    PARSE_ERROR = -32700
    INVALID_REQUEST = -32600
    METHOD_NOT_FOUND = -32601
    INVALID_PARAMS = -32602
    INTERNAL_ERROR = -32603

    SERVICE_ERROR = -32000
    OUTCOME_UNKNOWN = -32001
    UNREACHABLE = -32002
    ACCESS_DENIED = -32003
    DEADLINE_EXCEEDED = -32004
    OVERLOADED = -32005
    SHUTTING_DOWN = -32006
    LINE_TOO_LONG = -32007
    BODY_TOO_LARGE = -32008
    NO_CREDENTIALS = -32009
    UNTRUSTED_SERVER = -32010
    CANCELLED = -32011
    BAD_ANSWER = -32012
    BODY_CUT_SHORT = -32013
    STREAM_BROKEN = -32014
    DESCRIPTOR_FAILED = -32015
    IDLE = -32016
    TOO_SLOW = -32017
    UNSUPPORTED = -32018
    DRAINED = -32019


class RpcError(Exception):
    """A request that failed, as it stands in the answer's `error`.

    code: one of `Code`. message: one line for a person. data: details for a program; its keys are
    listed in PROTOCOL.md.
    """

    def __init__(self, code: int, message: str, data: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data or {}

    def __str__(self) -> str:
        return f"{self.message} ({self.code})"

    @property
    def outcome_unknown(self) -> bool:
        """Whether the service may have acted although there is no answer."""
        return self.data.get("outcome_unknown") is True


class ProtocolError(RpcError):
    """What came cannot be read as messages any more: answered, then the connection is closed."""


class ClientError(RpcError):
    """The service answered with an error. `response` and `operation_name` are as in boto3."""

    def __init__(self, code: int, message: str, data: dict[str, Any] | None = None) -> None:
        super().__init__(code, message, data)
        self.operation_name = self.data.get("operation", "")
        self.response = {
            "Error": {"Code": self.data.get("type", "Unknown"), "Message": message},
            "ResponseMetadata": {
                "HTTPStatusCode": self.data.get("http_status"),
                "RequestId": self.data.get("request_id", ""),
            },
        }
        self.response |= self.data.get("details", {})

    def __str__(self) -> str:
        error = self.response["Error"]
        return f"{error['Code']} from {self.operation_name}: {error['Message']}"


class DaemonUnavailable(Exception):
    """No daemon answers at the socket. Nothing was sent, unless it is an OutcomeUnknown too."""


class OutcomeUnknown(Exception):
    """It may have been done or not: find out before asking again."""


class DaemonBusy(DaemonUnavailable):
    """A daemon is there and takes no connection: ask again later, or see what keeps it."""


class SocketForbidden(DaemonUnavailable):
    """The user may not connect to the socket: ask the administrator."""


class DaemonLost(DaemonUnavailable, OutcomeUnknown):
    """The daemon went away, or kept silent, after a request had been sent."""


class OtherProtocol(ProtocolError, OutcomeUnknown):
    """The daemon speaks another version of the protocol: update the older of the two."""


class ServiceOutcomeUnknown(RpcError, OutcomeUnknown):
    """The service was sent the request and gave no full answer."""


class ParseError(RpcError):
    """What was sent is not JSON: mend the program."""


class InvalidRequest(RpcError):
    """What was sent is JSON and no request, or has an unknown option: mend the program."""


class MethodNotFound(RpcError):
    """No such service or operation: mend the call; the message lists those there are."""


class InvalidParams(RpcError):
    """A parameter is missing, unknown or not what it has to be: mend the call."""


class InternalError(RpcError):
    """A bug in the daemon: report it; the daemon's log has more."""


class ServiceUnreachable(RpcError):
    """The service could not be asked, and all attempts are used up: ask again later."""


class AccessDenied(RpcError):
    """The user may not do this: ask the administrator."""


class DeadlineExceeded(RpcError):
    """The deadline passed; asking again, with more time, is safe."""


class Overloaded(RpcError):
    """Too much at once; nothing was sent: ask again after `retry_after_s`."""

    @property
    def retry_after_s(self) -> float:
        """How long to wait before asking again, in seconds."""
        return float(self.data.get("retry_after_ms", 0)) / 1000


class ShuttingDown(RpcError):
    """The daemon is stopping; nothing was sent: ask again when another one is there."""


class LineTooLong(RpcError):
    """The params without their bytes are too large: send bytes, or less."""


class BodyTooLarge(RpcError):
    """More bytes than may be held: send or get a file, or a stream with its length."""


class NoCredentials(RpcError):
    """The daemon has no AWS keys for this profile: ask the administrator."""


class UntrustedServer(RpcError):
    """The server's certificate does not prove who it is: ask the administrator."""


class Cancelled(RpcError):
    """The request was ended before it was done: see `outcome_unknown`."""


class BadAnswer(RpcError):
    """What came is no answer of the service: see the daemon's log."""


class BodyCutShort(RpcError):
    """Fewer bytes came than were declared; nothing was done: send all of them."""


class StreamBroken(RpcError):
    """A stream did not come to its end, what came is not whole: transfer it again."""


class DescriptorFailed(RpcError):
    """A file could not be read or written: `errno` has the system's name for it (ENOSPC)."""

    @property
    def errno(self) -> str:
        return str(self.data.get("errno", ""))


class Idle(RpcError):
    """The connection was closed because nobody used it: connect anew."""


class TooSlow(RpcError):
    """A message was not sent, or an answer not read, in time: send and read without pauses."""


class Unsupported(RpcError):
    """AWS has the operation, and the daemon cannot do it: the message says why."""


class Drained(RpcError):
    """An administrator has no jobs taken now; nothing was sent: ask again later, or elsewhere."""


CLASSES: dict[int, type[RpcError]] = {
    Code.PARSE_ERROR: ParseError,
    Code.INVALID_REQUEST: InvalidRequest,
    Code.METHOD_NOT_FOUND: MethodNotFound,
    Code.INVALID_PARAMS: InvalidParams,
    Code.INTERNAL_ERROR: InternalError,
    Code.SERVICE_ERROR: ClientError,
    Code.OUTCOME_UNKNOWN: ServiceOutcomeUnknown,
    Code.UNREACHABLE: ServiceUnreachable,
    Code.ACCESS_DENIED: AccessDenied,
    Code.DEADLINE_EXCEEDED: DeadlineExceeded,
    Code.OVERLOADED: Overloaded,
    Code.SHUTTING_DOWN: ShuttingDown,
    Code.LINE_TOO_LONG: LineTooLong,
    Code.BODY_TOO_LARGE: BodyTooLarge,
    Code.NO_CREDENTIALS: NoCredentials,
    Code.UNTRUSTED_SERVER: UntrustedServer,
    Code.CANCELLED: Cancelled,
    Code.BAD_ANSWER: BadAnswer,
    Code.BODY_CUT_SHORT: BodyCutShort,
    Code.STREAM_BROKEN: StreamBroken,
    Code.DESCRIPTOR_FAILED: DescriptorFailed,
    Code.IDLE: Idle,
    Code.TOO_SLOW: TooSlow,
    Code.UNSUPPORTED: Unsupported,
    Code.DRAINED: Drained,
}
"""What an answer's code is raised as."""

BOTO3_NAMES = {"NonExistentQueue": "QueueDoesNotExist", "QueueAlreadyExists": "QueueNameExists"}
"""Where boto3 calls an exception otherwise than AWS calls the error."""

_SERVICE_ERRORS_MAX = 1000
"""Names kept: AWS has some hundred, and what answers could be something else."""

_service_errors: dict[str, type[ClientError]] = {}


def service_error(name: str) -> type[ClientError]:
    """The kind of ClientError that boto3 has as `client.exceptions.<name>`."""
    kind = _service_errors.get(name)
    if kind is None:
        if len(_service_errors) >= _SERVICE_ERRORS_MAX:
            return ClientError
        kind = _service_errors.setdefault(name, type(name, (ClientError,), {}))
    return kind


def error_from(code: int, message: str, data: dict[str, Any]) -> RpcError:
    """The error that an answer says, as its own kind."""
    kind = CLASSES.get(code, RpcError)
    if kind is ClientError and isinstance(data.get("type"), str):
        name = data["type"].rpartition(".")[2]
        kind = service_error(BOTO3_NAMES.get(name, name))
    return kind(code, message, data)


def read_error(said: Any) -> RpcError | None:
    """The error that a message says; one of ours, if what it says is none."""
    match said:
        case None:
            return None
        case {"code": int(code), "message": str(words), **rest}:
            data = rest.get("data") or {}
            if isinstance(data, dict):
                return error_from(code, words, data)
    return ProtocolError(Code.BAD_ANSWER, "what came as an error is none of JSON-RPC's")
