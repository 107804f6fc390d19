"""Large bodies: hashed in a thread for a greenlet, and never printed."""

import hashlib
import io
import tempfile
import threading
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botod.pool import bodies, spawn, wait
from botod.pool.bodies import (
    GATHER_BYTES,
    OFFLOAD_BYTES,
    compute_hash,
    compute_md5,
    sha256,
)
from support.http_server import Exchange, http_server
from support.loops import BOUND_S, run
from support.pools import KEYS, open_pool, s3_connection
from support.signatures import is_signed

import boto
import boto.auth
import boto.s3.key
import boto.utils
from boto.s3.key import Key


class Gate:
    """A hash that goes on only when somebody else has run; it knows its threads."""

    def __init__(self) -> None:
        self.opened = threading.Event()
        self.threads: set[int] = set()

    def __call__(self, data: bytes = b"") -> Any:
        whole = hashlib.sha256()

        def update(piece: bytes) -> None:
            self.threads.add(threading.get_ident())
            assert self.opened.wait(BOUND_S), "nobody else could run"
            whole.update(piece)

        if data:
            update(data)
        return SimpleNamespace(update=update, digest=whole.digest, hexdigest=whole.hexdigest)


def answer_etag(exchange: Exchange) -> None:
    """What S3 says to an upload."""
    etag = hashlib.md5(exchange.body, usedforsecurity=False).hexdigest()
    exchange.ok(b"", f'ETag: "{etag}"')


def key_of(connection: Any) -> Key:
    """A key of boto's, without asking whether its bucket exists."""
    return Key(connection.get_bucket("bucket", validate=False), "key")


@given(
    data=st.binary(max_size=20_000) | st.text(max_size=20_000),
    position=st.integers(0, 9),
    size=st.none() | st.integers(0, 20_000),
    block=st.integers(1, 10_000),
)
def test_hashes_files_as_boto_does(
    data: bytes | str, position: int, size: int | None, block: int
) -> None:
    """Bytes or text, from where the file stands, whole or a part; the file stays there."""
    seen = []
    for function in (boto.utils.compute_hash, compute_hash):
        file = io.StringIO(data) if isinstance(data, str) else io.BytesIO(data)
        file.seek(position)
        seen.append((function(file, block, size, hashlib.sha256), file.tell()))
    assert seen[0] == seen[1]


@pytest.mark.parametrize("length_bytes", [0, 1, OFFLOAD_BYTES, 3 * GATHER_BYTES, GATHER_BYTES + 1])
def test_a_file_s_hash_in_a_greenlet_is_boto_s(length_bytes: int) -> None:
    """MD5 as a key computes it, of what is one turn's work and what is several."""
    data = bytes(range(251)) * (length_bytes // 251 + 1)

    async def scenario() -> None:
        with tempfile.TemporaryFile() as file:
            file.write(data)
            file.seek(7)
            found = await spawn(compute_md5, file, size=length_bytes)
            assert file.tell() == 7
            assert found == boto.utils.compute_md5(file, size=length_bytes)

    run(scenario)


@pytest.mark.parametrize("what", ["bytes", "file"])
def test_others_run_while_a_thread_hashes(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hash waits for another greenlet, which it could not if it were taken on the loop."""
    gate = Gate()
    data = b"x" * GATHER_BYTES
    expected = hashlib.sha256(data).hexdigest()

    def hashed() -> str:
        if what == "bytes":
            return sha256(data)
        return str(compute_hash(io.BytesIO(data), hash_algorithm=gate)[0])

    async def scenario() -> None:
        job = spawn(hashed)
        await spawn(gate.opened.set)
        assert await job == expected
        assert gate.threads
        assert threading.get_ident() not in gate.threads

    monkeypatch.setattr(bodies, "hashlib", SimpleNamespace(sha256=gate))
    run(scenario)


def test_a_key_s_upload_hashes_its_file_in_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both of boto's hashes before the upload, MD5 and SHA-256; then all is sent and signed."""
    gate = Gate()
    data = b"x" * (2 * GATHER_BYTES)

    async def scenario() -> None:
        with http_server(answer_etag) as server:
            async with open_pool() as pool:
                key = key_of(s3_connection(pool, server.port))
                job = spawn(key.set_contents_from_file, io.BytesIO(data))
                await spawn(gate.opened.set)
                assert await job == len(data)
        (request,) = server.requests
        assert request.body == data
        assert request.headers["x-amz-content-sha256"] == hashlib.sha256(data).hexdigest()
        assert is_signed(request, KEYS[1], scope="us-east-1/s3")
        assert threading.get_ident() not in gate.threads

    monkeypatch.setattr(boto.s3.key, "hashlib", SimpleNamespace(sha256=gate))
    assert boto.s3.key.compute_md5 is compute_md5
    run(scenario)


def test_small_bodies_and_callers_outside_greenlets_take_no_thread() -> None:
    """A thread costs more than a small hash; and in a plain thread there is nothing to hold up."""
    gate = Gate()
    gate.opened.set()
    compute_hash(io.BytesIO(b"x" * GATHER_BYTES), hash_algorithm=gate)

    async def scenario() -> None:
        await spawn(compute_hash, io.BytesIO(b"x" * 1000), hash_algorithm=gate)

    run(scenario)
    assert gate.threads == {threading.get_ident()}


def test_a_file_that_parks_can_be_hashed() -> None:
    """It is read in the greenlet: what stands behind it may be another of the pool's responses."""
    data = b"x" * (2 * GATHER_BYTES)

    class Parking(io.BytesIO):
        """A file whose reading needs the loop."""

        def read(self, size: int | None = -1) -> bytes:
            async def read() -> bytes:
                return super(Parking, self).read(size)

            return wait(read())

    async def scenario() -> None:
        found = await spawn(compute_hash, Parking(data), hash_algorithm=hashlib.sha256)
        assert found[0] == hashlib.sha256(data).hexdigest()

    run(scenario)
