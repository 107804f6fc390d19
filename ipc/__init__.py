"""botod.ipc: the wire between local processes and the daemon. Importing it costs little."""

from botod.ipc.client import Client, Connection, connect, default_socket
from botod.ipc.errors import ClientError, Code, DaemonUnavailable, RpcError

__all__ = [
    "Client",
    "ClientError",
    "Code",
    "Connection",
    "DaemonUnavailable",
    "RpcError",
    "connect",
    "default_socket",
]
