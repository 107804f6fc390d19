"""Who may have what done. Until there are rules: the daemon's own user, and not even root."""

import os

from botod.ipc.errors import Code, RpcError

OVERFLOW_UID = 65534
"""What every stranger looks like from inside a user namespace: it is nobody in particular."""


class Policy:
    """Decides by the sender's uid.

    own_uid: the user the daemon runs as.
    """

    def __init__(self, own_uid: int | None = None) -> None:
        self._own_uid = os.geteuid() if own_uid is None else own_uid

    def check(self, uid: int, method: str) -> None:
        """Raise ACCESS_DENIED unless `uid` may call `method`."""
        if uid != self._own_uid or uid == OVERFLOW_UID:
            raise RpcError(Code.ACCESS_DENIED, f"user {uid} may not call {method}")
