"""What both clients make of a call before it is sent, and of where the daemon is. No sockets."""

from __future__ import annotations

import os

from botod.ipc.protocol import OPTION_KEYS
from botod.ipc.sending import Pieces, to_send

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

OPTION_NAMES = OPTION_KEYS - {"progress"}
"""Of Options; `progress` is asked for by a callback."""

SYSTEM_SOCKET = "/run/botod/botod.sock"

DEFAULT_TIMEOUT_S = 60.0
"""The deadline of a request that says nothing."""

BODY_TIMEOUT_S = 900.0
"""The same, if it has a stream or a descriptor: what the daemon gives it then."""

GRACE_S = 5.0
"""Beyond a request's own deadline: the daemon answers at it, and the answer has to travel."""


def default_socket() -> str:
    """Where the daemon is: $BOTOD_SOCKET, else the system's socket, else the user's."""
    named = os.environ.get("BOTOD_SOCKET")
    if named:
        return named
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime and not os.path.exists(SYSTEM_SOCKET):  # noqa: PTH110 - pathlib is slow to import
        return f"{runtime}/botod.sock"
    return SYSTEM_SOCKET


def merged(*options: Mapping[str, Any]) -> dict[str, Any]:
    """Options where later ones count more. Raises TypeError for one that there is not."""
    result = {key: value for one in options for key, value in one.items() if value is not None}
    unknown = sorted(result.keys() - OPTION_NAMES)
    if unknown:
        known = ", ".join(sorted(OPTION_NAMES))
        raise TypeError(f"unknown option {unknown[0]!r}; there are: {known}")
    return result


def prepared(params: Mapping[str, Any]) -> dict[str, Any]:
    """Params with their `Body` as it is sent, and its ContentLength if that is known."""
    body = to_send(params["Body"], params.get("ContentLength"))
    length = {}
    if isinstance(body, Pieces) and body.length is not None:
        length = {"ContentLength": body.length}
    return {**params, "Body": body, **length}


def timed(options: Mapping[str, Any], *, has_body: bool) -> tuple[Mapping[str, Any], float]:
    """Options with the deadline of a request, and that deadline, in seconds from its arrival.

    has_body: whether it has a stream or a descriptor.
    """
    if "timeout_s" in options:
        return options, float(options["timeout_s"])
    if has_body:
        return options, BODY_TIMEOUT_S  # which the daemon gives it by itself
    return {**options, "timeout_s": DEFAULT_TIMEOUT_S}, DEFAULT_TIMEOUT_S
