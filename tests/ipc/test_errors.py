"""What can go wrong, as numbers for programs and sentences for people."""

import ast
import inspect
import sys

import pytest

from botod.ipc import errors
from botod.ipc.errors import ClientError, Code, DaemonUnavailable, ProtocolError, RpcError

NO_SUCH_KEY = {
    "type": "NoSuchKey",
    "service": "s3",
    "operation": "GetObject",
    "http_status": 404,
    "request_id": "4442587FB7D0A2F9",
}


def test_codes_do_not_change() -> None:
    """The numbers stand in other people's programs: JSON-RPC's five, and ours without a gap."""
    ours = sorted(code for code in Code if code > Code.INVALID_REQUEST)
    assert ours == list(range(-32019, -31999))
    assert sorted(set(Code) - set(ours)) == [-32700, -32603, -32602, -32601, -32600]
    assert (Code.SERVICE_ERROR, Code.OUTCOME_UNKNOWN, Code.OVERLOADED) == (-32000, -32001, -32005)


def test_an_error_says_its_sentence_and_its_number() -> None:
    """As text an error has what a person needs to look it up."""
    error = RpcError(Code.OVERLOADED, "too much at once")
    assert str(error) == "too much at once (-32005)"
    assert (error.code, error.message, error.data) == (-32005, "too much at once", {})


@pytest.mark.parametrize("kind", [ProtocolError, ClientError])
def test_all_that_is_answered_is_one_kind(kind: type[Exception]) -> None:
    """Who catches RpcError has caught everything that an answer can say."""
    assert issubclass(kind, RpcError)


def test_no_daemon_is_not_an_answer() -> None:
    """A daemon that is not there said nothing, and is told apart from one that did."""
    assert not issubclass(DaemonUnavailable, RpcError)


def test_a_client_error_looks_as_boto3s() -> None:
    """Code, message, status and request id stand where boto3's users look for them."""
    error = ClientError(Code.SERVICE_ERROR, "The specified key does not exist.", NO_SUCH_KEY)
    assert error.response == {
        "Error": {"Code": "NoSuchKey", "Message": "The specified key does not exist."},
        "ResponseMetadata": {"HTTPStatusCode": 404, "RequestId": "4442587FB7D0A2F9"},
    }
    assert error.operation_name == "GetObject"
    assert str(error) == "NoSuchKey from GetObject: The specified key does not exist."


def test_a_client_error_needs_no_details() -> None:
    """One without data still has the keys that programs read."""
    error = ClientError(Code.SERVICE_ERROR, "no")
    assert error.response["Error"] == {"Code": "Unknown", "Message": "no"}
    assert error.response["ResponseMetadata"] == {"HTTPStatusCode": None, "RequestId": ""}
    assert error.operation_name == ""


def test_the_errors_import_nothing_of_ours() -> None:
    """Every module may import the errors, because they import the standard library only."""
    imports = [
        node.module if isinstance(node, ast.ImportFrom) else node.names[0].name
        for node in ast.walk(ast.parse(inspect.getsource(errors)))
        if isinstance(node, (ast.Import, ast.ImportFrom))
    ]
    assert imports
    assert all(name in sys.stdlib_module_names for name in imports)
