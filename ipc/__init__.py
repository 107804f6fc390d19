"""botod.ipc: the wire between local processes and the daemon. Importing it costs little."""

from botod.ipc.client import Client, Connection, connect, default_socket
from botod.ipc.errors import (
    AccessDenied,
    ClientError,
    Code,
    DaemonLost,
    DaemonUnavailable,
    DeadlineExceeded,
    OutcomeUnknown,
    Overloaded,
    RpcError,
)

__all__ = [
    "AccessDenied",
    "Client",
    "ClientError",
    "Code",
    "Connection",
    "DaemonLost",
    "DaemonUnavailable",
    "DeadlineExceeded",
    "OutcomeUnknown",
    "Overloaded",
    "RpcError",
    "connect",
    "default_socket",
]
