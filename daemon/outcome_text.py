"""An outcome as bytes, for another worker to answer with: JSON, with bytes as the wire has them."""

import base64
import json
from typing import Any

from botod.ipc.errors import RpcError
from botod.ipc.exchange import Outcome
from botod.ipc.markers import Declared, pack, unpack


def encode(outcome: Outcome) -> bytes:
    """An outcome without streams."""
    assert not outcome.streams, "a request with a key is not answered with streams"
    error = outcome.error
    whole = {"result": outcome.result}
    if error is not None:
        whole = {"code": error.code, "message": error.message, "data": error.data}
    return json.dumps(pack(whole, _base64)).encode()


def decode(text: bytes) -> Outcome:
    """What `encode` was given."""
    whole = unpack(json.loads(text), Declared())
    if "code" in whole:
        return Outcome(error=RpcError(whole["code"], whole["message"], whole["data"]))
    return Outcome(whole["result"])


def _base64(value: Any) -> dict[str, str]:
    return {"$base64": base64.b64encode(value).decode()}
