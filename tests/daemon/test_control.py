"""The daemon's own methods."""

import asyncio
import errno
import os
from importlib.metadata import version
from typing import Any

import pytest

from botod.daemon.control import Hello, answered_later, who, without_params
from botod.daemon.services.operation import Params
from botod.ipc.errors import Code, RpcError
from botod.ipc.exchange import Sender
from support.exchanges import Peer
from support.loops import run

SENDER = Sender(1, 2, 3, 4)
HELLO = Hello({"line_bytes": 1000, "job_timeout_s": 60.0})


def test_a_method_without_params() -> None:
    """With any it is refused by name."""

    async def main() -> None:
        method = without_params(who)
        peer = Peer("botod.ping", sender=SENDER)
        told = await peer.ask(method).result()
        assert told == {"pid": os.getpid(), "version": version("botod")}
        with pytest.raises(RpcError) as caught:
            method(Peer("botod.ping", {"x": 1}, sender=SENDER).exchange)
        assert caught.value.code == Code.INVALID_PARAMS
        assert caught.value.message == "botod.ping takes no params"

    run(main)


def test_a_method_that_has_to_wait(caplog: pytest.LogCaptureFixture) -> None:
    """It is answered when it is done: with its result, its error, or word of a bug."""

    async def main() -> None:
        answers: asyncio.Queue[Any] = asyncio.Queue()

        async def answer(_params: Params) -> Any:
            outcome = await answers.get()
            if isinstance(outcome, Exception):
                raise outcome
            return outcome

        method = answered_later(answer)
        peers = [Peer("botod.status", sender=SENDER).ask(method) for _ in range(3)]
        assert not any(peer.has_ended for peer in peers)
        for outcome in ({"pid": 1}, RpcError(Code.INVALID_PARAMS, "no"), KeyError("a bug")):
            answers.put_nowait(outcome)
        assert await peers[0].result() == {"pid": 1}
        for peer, code in zip(peers[1:], (Code.INVALID_PARAMS, Code.INTERNAL_ERROR), strict=True):
            with pytest.raises(RpcError) as caught:
                await peer.result()
            assert caught.value.code == code

    run(main)
    assert "KeyError" in caplog.text
    caplog.clear()


def test_no_file_is_read_for_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """There may be no descriptor left to open one with."""

    def no_file(_name: str) -> str:
        raise OSError(errno.EMFILE, "too many open files")

    monkeypatch.setattr("botod.daemon.control.version", no_file)
    assert who() == {"pid": os.getpid(), "version": version("botod")}


def test_hello_tells_what_a_client_needs() -> None:
    """Version and limits; a peer that says nothing reads no streams."""

    async def main() -> None:
        peer = Peer("botod.hello", sender=SENDER)
        result = await peer.ask(HELLO).result()
        assert (result["protocol"], result["version"]) == (1, version("botod"))
        assert result["limits"] == {"line_bytes": 1000, "job_timeout_s": 60.0}
        assert result["fixed"] == {
            "descriptors": 4,
            "batch": 100,
            "chunk_bytes": 65_536,
            "window_bytes": 262_144,
            "stream_credit_max_bytes": 16_777_216,
        }
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
