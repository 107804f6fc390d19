"""JSON-RPC's arrays: many requests in one line, their answers in another.

An array has no envelope, so nothing in it can declare bytes; what an answer holds of them stands
there as `$base64`.
"""

import base64
from typing import Any

from botod.ipc.controls import is_control
from botod.ipc.envelope import request_id
from botod.ipc.errors import Code, RpcError
from botod.ipc.exchange import Exchange, Outcome
from botod.ipc.limits import Budget
from botod.ipc.markers import pack
from botod.ipc.protocol import encode_array, encode_entry, error_envelope

MAX_BYTES = 1024 * 1024
"""Raw bytes in one answer of a batch: as base64 they are held twice, and written in one visit."""


class Batch:
    """Collects the answers to one array.

    left: how many of its requests are still to be settled. budget: for answers that wait for the
    others. held_bytes: reserved there for the array itself.
    """

    def __init__(self, requests_num: int, budget: Budget, held_bytes: int) -> None:
        self.left = requests_num
        self._budget = budget
        self._held_bytes = held_bytes
        self._answers: list[bytes] = []

    def settle(self, exchange: Exchange, outcome: Outcome) -> None:
        """Take the outcome of one request.

        Raises TypeError, ValueError, RecursionError for what JSON does not have, and took nothing.
        """
        if not exchange.request.is_notification:
            self._keep(_envelope(exchange.request.request_id, outcome))
        self.left -= 1

    def refuse(self, item: Any, error: RpcError) -> None:
        """Take an error for what is no request, or is refused."""
        self.left -= 1
        is_request = isinstance(item, dict) and not is_control(item.get("method"))
        if not is_request or "method" not in item or "id" in item:
            answer_to = request_id(item) if isinstance(item, dict) else None
            self._keep(error_envelope(answer_to, error))

    def finish(self) -> list[bytes]:
        """The array of answers, which nobody holds any more; nothing, if all were notifications."""
        self._budget.release(self._held_bytes)
        return encode_array(self._answers) if self._answers else []

    def _keep(self, envelope: dict[str, Any]) -> None:
        entry = encode_entry(envelope)
        self._answers.append(entry)
        self._held_bytes += len(entry)
        self._budget.force(len(entry))


def _envelope(answer_to: str | int | None, outcome: Outcome) -> dict[str, Any]:
    if outcome.error is not None:
        return error_envelope(answer_to, outcome.error)
    try:
        return {"jsonrpc": "2.0", "id": answer_to, "result": pack(outcome.result, _AsBase64())}
    except RpcError as error:
        return error_envelope(answer_to, error)


class _AsBase64:
    """Writes the bytes of one answer as `$base64`, as many as may be."""

    def __init__(self) -> None:
        self._total_bytes = 0

    def __call__(self, value: Any) -> dict[str, str]:
        if not isinstance(value, (bytes, bytearray, memoryview)):
            raise TypeError(f"{type(value).__name__} cannot stand in a batch")
        self._total_bytes += len(value)
        if self._total_bytes > MAX_BYTES:
            raise RpcError(
                Code.BODY_TOO_LARGE,
                f"the answer has more than {MAX_BYTES} bytes, which may not be in a batch: "
                "ask alone",
            )
        return {"$base64": base64.b64encode(value).decode()}
