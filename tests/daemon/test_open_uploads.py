"""Uploads under way: what is remembered, and what is aborted."""

import asyncio
import logging
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from botod.daemon import open_uploads
from botod.daemon.open_uploads import OpenUploads
from botod.daemon.upload_files import OpenUpload, UploadFolder, open_folder
from botod.pool import spawn
from support.http_server import Exchange, http_server
from support.loops import BOUND_S, until
from support.pools import open_pool
from support.rigs import upstreams_at
from support.s3_server import S3, error

UPLOAD = OpenUpload("default", "photos", "cat.jpg", "id-1", {"RequestPayer": "requester"})


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries follow each other at once."""
    monkeypatch.setattr(open_uploads, "PAUSES_S", (0.0, 0.0, 0.0))
    monkeypatch.setattr(open_uploads, "ROUNDS_S", (0.0, 0.0))


Test = Callable[[OpenUploads, S3, Callable[[str], Any]], Coroutine[Any, Any, None]]


def with_uploads(test: Test, state: Path | None, s3: S3 | None = None) -> S3:
    """Run a test with a server that has the upload."""
    s3 = s3 or S3(uploads={"id-1": {1: b"part"}})
    asyncio.run(asyncio.wait_for(_with_uploads(test, state, s3), BOUND_S))
    return s3


async def _with_uploads(test: Test, state: Path | None, s3: S3) -> None:
    with http_server(s3) as server:
        async with open_pool() as pool:
            uploads = OpenUploads(open_folder(str(state)) if state else None)
            upstreams = upstreams_at(pool, f"http://127.0.0.1:{server.port}", 0, uploads=uploads)

            def connection_of(profile: str) -> Any:
                return upstreams.find(profile, "s3").connection if profile == "default" else None

            await test(uploads, s3, connection_of)
            await uploads.close()


def files(state: Path) -> list[str]:
    """What is remembered, whoever has it."""
    return [path.name for path in state.glob("uploads/*/*.json")]


@pytest.mark.parametrize("has_state", [True, False])
def test_what_comes_to_nothing_is_aborted_and_forgotten(has_state: bool, tmp_path: Path) -> None:
    """It is remembered until S3 knows nothing more of it."""

    async def test(uploads: OpenUploads, s3: S3, connection_of: Any) -> None:
        await spawn(uploads.begin, UPLOAD)
        assert len(files(tmp_path)) == has_state
        uploads.abort(UPLOAD, await spawn(connection_of("default")))
        await until(lambda: not s3.uploads and not files(tmp_path))

    s3 = with_uploads(test, tmp_path if has_state else None)
    assert s3.log == ["abort", "list_parts"]


def test_what_was_completed_is_forgotten(tmp_path: Path) -> None:
    """Without a request."""

    async def test(uploads: OpenUploads, s3: S3, connection_of: Any) -> None:
        await spawn(uploads.begin, UPLOAD)
        uploads.end(UPLOAD)
        await until(lambda: not files(tmp_path))

    assert with_uploads(test, tmp_path).log == []


def test_who_aborts_need_not_be_allowed_to_list(tmp_path: Path) -> None:
    """Then that it was aborted has to do."""

    async def test(uploads: OpenUploads, s3: S3, connection_of: Any) -> None:
        s3.always("list_parts", lambda exchange: error(exchange, "AccessDenied", "403 Forbidden"))
        uploads.abort(UPLOAD, await spawn(connection_of("default")))
        await until(lambda: not s3.uploads)

    with_uploads(test, tmp_path)


def test_what_cannot_be_aborted_is_told_and_kept(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """With what it was, and what to do."""

    async def test(uploads: OpenUploads, s3: S3, connection_of: Any) -> None:
        s3.always("abort", lambda exchange: error(exchange, "AccessDenied", "403 Forbidden"))
        await spawn(uploads.begin, UPLOAD)
        uploads.abort(UPLOAD, await spawn(connection_of("default")))
        await uploads.close()
        assert len(files(tmp_path)) == 1
        uploads._folder = None  # closed

    with_uploads(test, tmp_path)
    (line,) = [one for one in caplog.messages if "parts may be left" in one]
    assert "photos/cat.jpg" in line
    assert "the next start tries again" in line
    caplog.clear()


def test_a_disk_that_is_full_is_no_reason_to_refuse(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The upload goes on; the log is told."""

    async def test(uploads: OpenUploads, s3: S3, connection_of: Any) -> None:
        assert uploads._folder is not None
        path = uploads._folder.path
        uploads._folder.path = tmp_path / "gone"
        await spawn(uploads.begin, UPLOAD)
        uploads._folder.path = path

    with_uploads(test, tmp_path)
    assert any("is not remembered" in line for line in caplog.messages)
    caplog.clear()


def left_by_a_dead_one(state: Path, *uploads: OpenUpload) -> None:
    """What a process that died has left; its lock is gone with it."""
    import os  # noqa: PLC0415 - here only

    folder = open_folder(str(state))
    for upload in uploads:
        folder.write(upload)
    os.close(folder._lock)


def test_what_the_dead_left_is_aborted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """At the next start, with the params that each request needs; another profile's is not."""
    other = OpenUpload("gone", "photos", "k", "id-2")
    left_by_a_dead_one(tmp_path, UPLOAD, other)

    async def test(uploads: OpenUploads, s3: S3, connection_of: Any) -> None:
        payers: list[str] = []

        def note(exchange: Exchange) -> bool:
            payers.append(exchange.headers["x-amz-request-payer"])
            return False

        s3.rules.append(note)
        uploads.take_over(connection_of, ("key",))
        await until(lambda: not s3.uploads and len(files(tmp_path)) == 1)
        await until(lambda: any("of no profile" in line for line in caplog.messages))
        assert set(payers) == {"requester"}

    caplog.set_level(logging.INFO)
    with_uploads(test, tmp_path)
    caplog.clear()


def test_a_folder_goes_when_all_in_it_is_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However slow the disk is."""
    left_by_a_dead_one(tmp_path, UPLOAD)
    closed, remove, close = threading.Event(), UploadFolder.remove, UploadFolder.close

    def slow_remove(folder: UploadFolder, upload: OpenUpload) -> None:
        closed.wait(0.1)
        remove(folder, upload)

    def noted_close(folder: UploadFolder) -> None:
        close(folder)
        closed.set()

    monkeypatch.setattr(UploadFolder, "remove", slow_remove)
    monkeypatch.setattr(UploadFolder, "close", noted_close)

    async def test(uploads: OpenUploads, s3: S3, connection_of: Any) -> None:
        uploads.take_over(connection_of, ("key",))
        assert uploads._taking_over is not None
        await uploads._taking_over

    with_uploads(test, tmp_path)
    assert not list((tmp_path / "uploads").iterdir())


def test_it_is_tried_again_later(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The network may not be there at the start."""
    left_by_a_dead_one(tmp_path, UPLOAD)

    async def test(uploads: OpenUploads, s3: S3, connection_of: Any) -> None:
        for _ in range(3):
            s3.once("abort", Exchange.cut)
        uploads.take_over(connection_of, ("key",))
        await until(lambda: not s3.uploads and not files(tmp_path))

    with_uploads(test, tmp_path)
    assert any("parts may be left" in line for line in caplog.messages)
    caplog.clear()


def test_what_a_living_one_has_is_left_alone(tmp_path: Path) -> None:
    """Another worker's start does not end its uploads."""
    living = open_folder(str(tmp_path))
    living.write(UPLOAD)

    async def test(uploads: OpenUploads, s3: S3, connection_of: Any) -> None:
        uploads.take_over(connection_of, ("key",))
        assert uploads._taking_over is not None
        await uploads._taking_over
        assert s3.uploads

    assert with_uploads(test, tmp_path).log == []
    living.close()
