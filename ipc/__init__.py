"""botod.ipc: the wire between local processes and the daemon. Importing it costs little.

So what the client imports leaves `typing`, and all that only annotations name, to type checkers
(`TYPE_CHECKING = False`): it takes as long as all of the client. A test lists what is left out.
"""

from botod.ipc.client import Client, Connection, connect, default_socket
from botod.ipc.errors import (
    AccessDenied,
    ClientError,
    Code,
    DaemonBusy,
    DaemonLost,
    DaemonUnavailable,
    DeadlineExceeded,
    OtherProtocol,
    OutcomeUnknown,
    Overloaded,
    RpcError,
    SocketForbidden,
)

__all__ = [
    "AccessDenied",
    "Client",
    "ClientError",
    "Code",
    "Connection",
    "DaemonBusy",
    "DaemonLost",
    "DaemonUnavailable",
    "DeadlineExceeded",
    "OtherProtocol",
    "OutcomeUnknown",
    "Overloaded",
    "RpcError",
    "SocketForbidden",
    "connect",
    "default_socket",
]
