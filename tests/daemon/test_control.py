"""The daemon's own methods."""

import os
from importlib.metadata import version
from typing import Any

import pytest

from botod.daemon.control import Hello, who, without_params
from botod.ipc.errors import Code, RpcError
from botod.ipc.exchange import Sender
from botod.ipc.framing import MessageLimits
from botod.ipc.limits import ServerLimits
from support.exchanges import Peer
from support.loops import run

SENDER = Sender(1, 2, 3, 4)
HELLO = Hello(
    ServerLimits(message=MessageLimits(1000, 2000), streams_per_peer=5),
    job_timeout_s=60.0,
    job_timeout_max_s=900.0,
)


def test_a_method_without_params() -> None:
    """With any it is refused by name."""

    async def main() -> None:
        method = without_params(who)
        peer = Peer("botod.ping", sender=SENDER)
        assert method(peer.exchange) == {"pid": os.getpid(), "version": version("botod")}
        with pytest.raises(RpcError) as caught:
            method(Peer("botod.ping", {"x": 1}, sender=SENDER).exchange)
        assert caught.value.code == Code.INVALID_PARAMS
        assert caught.value.message == "botod.ping takes no params"

    run(main)


def test_hello_tells_what_a_client_needs() -> None:
    """Version and limits; a peer that says nothing reads no streams."""

    async def main() -> None:
        peer = Peer("botod.hello", sender=SENDER)
        result = HELLO(peer.exchange)
        assert (result["protocol"], result["version"]) == (1, version("botod"))
        limits = result["limits"]
        assert (limits["line_bytes"], limits["inline_bytes"]) == (1000, 2000)
        assert (limits["streams_per_peer"], limits["batch"]) == (5, 100)
        assert (limits["timeout_s"], limits["timeout_max_s"]) == (60.0, 900.0)
        assert peer.granted == []

    run(main)


@pytest.mark.parametrize("size", [1, 16 * 1024 * 1024])
def test_hello_says_that_a_peer_reads_streams(size: int) -> None:
    """The bounds themselves are allowed."""

    async def main() -> None:
        peer = Peer("botod.hello", {"stream_credit_bytes": size}, sender=SENDER)
        HELLO(peer.exchange)
        assert peer.granted == [size]

    run(main)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"stream_credit_bytes": 0}, "stream_credit_bytes is 0; allowed is 1 to 16777216"),
        ({"stream_credit_bytes": 16777217}, "allowed is 1 to 16777216"),
        ({"stream_credit_bytes": "1"}, "has to be a whole number"),
        ({"streams": True}, "streams is unknown; there are: stream_credit_bytes"),
    ],
)
def test_a_hello_that_makes_no_sense(params: dict[str, Any], words: str) -> None:
    """Refused with what is allowed."""

    async def main() -> None:
        peer = Peer("botod.hello", params, sender=SENDER)
        with pytest.raises(RpcError, match=words) as caught:
            HELLO(peer.exchange)
        assert caught.value.code == Code.INVALID_PARAMS
        assert peer.granted == []

    run(main)
