"""`botod cp` to and from a server that others wrote: what S3's keys may be, and large bodies."""

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from botod.ipc import ClientError
from support.copying import cp, started, tree_of
from support.daemons import BOUND_S, Daemon, running_daemon, wait_until
from support.servers import Servers

DONE = (0, b"", "")
BUCKET = "copying"
EVERY_BYTE = bytes(range(256))
LARGE = EVERY_BYTE * 4 * 1024 * 12
"""12 MiB: more than goes in one piece, whichever way."""

FILES_NUM = 400


@pytest.fixture
def daemon(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    """A daemon with an empty bucket."""
    config = {"profile": {"default": {"endpoints": servers._asdict()}}}
    with running_daemon(config) as daemon, daemon.connect() as connection:
        monkeypatch.setenv("BOTOD_SOCKET", daemon.socket_path)
        s3 = connection.client("s3")
        s3.create_bucket(Bucket=BUCKET)
        yield daemon
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET):
            for item in page["Contents"]:
                s3.delete_object(Bucket=BUCKET, Key=item["Key"])
        s3.delete_bucket(Bucket=BUCKET)


def test_a_folder_there_and_back(daemon: Daemon, tmp_path: Path) -> None:
    """Some hundred files, small and large, with names that are odd: byte for byte."""
    names = [f"{'ab/' * (number % 3)}{number}" for number in range(FILES_NUM)]
    odd = ["a b", "+", "%2F", "?x=1", "#", "&amp;", "ä日本", "~", "*", "'\"", "x=y", "\\", ".x"]
    files = {name: os.urandom(len(name)) + EVERY_BYTE for name in names + [f"odd/{n}" for n in odd]}
    files["odd/large"] = LARGE
    for name, data in files.items():
        path = tmp_path / "from" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    where = f"s3://{BUCKET}/a folder"
    assert cp("-r", tmp_path / "from", where).outcome == DONE
    assert cp("-r", where, f"s3://{BUCKET}/another").outcome == DONE
    assert cp("-r", f"s3://{BUCKET}/another/", tmp_path / "to").outcome == DONE
    assert tree_of(tmp_path / "to") == files


def test_a_large_body_each_way(daemon: Daemon, tmp_path: Path) -> None:
    """From a file and a pipe, into a file and a pipe."""
    (tmp_path / "x").write_bytes(LARGE)
    assert cp(tmp_path / "x", f"s3://{BUCKET}/").outcome == DONE
    assert cp("-", f"s3://{BUCKET}/y", stdin=LARGE).outcome == DONE
    assert cp(f"s3://{BUCKET}/y", tmp_path).outcome == DONE
    assert (tmp_path / "y").read_bytes() == LARGE
    assert cp(f"s3://{BUCKET}/x", "-").outcome == (0, LARGE, "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_in_the_middle_of_an_upload(daemon: Daemon, number: int) -> None:
    """Parts were sent already: there is no object, and no part is left."""
    process = started("-", f"s3://{BUCKET}/cut")
    assert process.stdin is not None, "asked for as a pipe"
    with daemon.connect() as connection:
        s3 = connection.client("s3")

        def uploads() -> list[str]:
            listed = s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])
            return [upload["Key"] for upload in listed]

        for _ in range(4):
            process.stdin.write(LARGE)
        process.stdin.flush()
        wait_until(lambda: uploads() == ["cut"], daemon)
        process.send_signal(number)
        assert process.wait(BOUND_S) == -number
        for pipe in (process.stdin, process.stdout, process.stderr):
            assert pipe is not None, "asked for as a pipe"
            with contextlib.suppress(BrokenPipeError):
                pipe.close()
        wait_until(lambda: uploads() == [], daemon)
        with pytest.raises(ClientError, match="404"):
            s3.head_object(Bucket=BUCKET, Key="cut")


def test_what_the_service_refuses(daemon: Daemon, tmp_path: Path) -> None:
    """No such bucket or key, as it says it."""
    for words, why in (
        ([f"s3://{BUCKET}/none", tmp_path], "NoSuchKey from "),
        (["s3://no-such-bucket-here/k", tmp_path], "NoSuchBucket from "),
        (["/etc/hostname", "s3://no-such-bucket-here/"], "NoSuchBucket from "),
        (["-r", "s3://no-such-bucket-here", tmp_path], "NoSuchBucket from "),
    ):
        done = cp(*words)
        assert (done.status, done.out, len(done.lines)) == (1, b"", 1)
        assert why in done.err
    assert not list(tmp_path.iterdir())
