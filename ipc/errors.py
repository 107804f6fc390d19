"""What can go wrong on the wire and behind it. Imports only `enum`."""

from enum import IntEnum
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

    def __str__(self) -> str:
        error = self.response["Error"]
        return f"{error['Code']} from {self.operation_name}: {error['Message']}"


class DaemonUnavailable(Exception):
    """No daemon answers at the socket, or it went away before it answered."""
