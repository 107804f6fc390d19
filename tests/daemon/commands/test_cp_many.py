"""`botod cp -r`: all of a folder or of a prefix, and what happens to the rest when some fail."""

import asyncio
import errno
import os
import subprocess
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from botod.daemon.commands.cp_bar import Screen, Tally
from botod.daemon.commands.cp_many import AHEAD, Many, is_hopeless, summary
from botod.daemon.commands.cp_places import FilePlace, S3Place, Task
from botod.daemon.commands.cp_transfers import Moved
from botod.ipc.errors import (
    AccessDenied,
    ClientError,
    Code,
    DaemonLost,
    DescriptorFailed,
    NoCredentials,
)
from botod.ipc.sending import SMALL_BYTES
from support.buckets import BUCKET, Served
from support.copying import cp, tree_of
from support.daemons import endpoints, running_daemon

FILES_NUM = 300
DONE = (0, b"", "")
ALL = f"s3://{BUCKET}/p"


def plant(folder: Path) -> dict[str, bytes]:
    """Some hundred files at several depths, of several sizes, with odd names; what is in them."""
    every = bytes(range(256))
    files = {
        f"{'sub/' * (number % 4)}f{number}.txt": (every * 5)[: number * 4]
        for number in range(FILES_NUM)
    }
    files |= {"ü/ a %2F+&?#.jpg": every, "ü/\n": every, ".hidden": b"", "large": every * 2000}
    files["sub/edge"] = (every * 300)[: SMALL_BYTES + 1]
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return files


def test_a_folder_there_and_back(served: Served, tmp_path: Path) -> None:
    """Byte for byte, over several pages of a listing; the new folder is made."""
    files = plant(tmp_path / "from")
    assert cp("-r", tmp_path / "from", ALL).outcome == DONE
    assert served.buckets.objects == {f"p/{name}": data for name, data in files.items()}
    assert served.buckets.types["p/ü/ a %2F+&?#.jpg"] == "image/jpeg"
    served.buckets.objects["pa"] = served.buckets.objects["p"] = b"not in the folder p/"
    assert cp("-r", ALL, tmp_path / "to").outcome == DONE
    assert tree_of(tmp_path / "to") == files


def test_no_more_is_in_flight_than_was_said(served: Served, tmp_path: Path) -> None:
    """One after the other, with --jobs 1; the order of a listing is kept then."""
    plant(tmp_path / "from")
    assert cp("-r", "--jobs", "1", tmp_path / "from", ALL).outcome == DONE
    served.server.requests.clear()
    assert cp("-r", "--jobs", "1", ALL, tmp_path / "to").outcome == DONE
    targets = [one.target for one in served.server.requests if "list-type" not in one.target]
    assert len({one.connection_number for one in served.server.requests}) <= 2
    assert targets == sorted(targets, key=targets.index)
    assert len(targets) == FILES_NUM + 5


def test_objects_are_copied_by_the_service(served: Served, tmp_path: Path) -> None:
    """Folders' markers and names that no file could have among them."""
    names = {"a", "b/c", "m/", "x//y", "../z"}
    served.buckets.objects |= {f"p/{name}": name.encode() for name in names}
    assert cp("-r", ALL, f"s3://{BUCKET}/q/").outcome == DONE
    copies = {key: data for key, data in served.buckets.objects.items() if key.startswith("q/")}
    assert copies == {f"q/{name}": name.encode() for name in names}


def test_what_is_no_path_is_named_and_left(served: Served, tmp_path: Path) -> None:
    """All else is copied; nothing is written outside of the folder."""
    bad = ("../x", "/etc/x", "a/../../x", "a//b", "folder/", "./x", "nul\0")
    served.buckets.objects |= {f"p/{name}": b"bad" for name in bad}
    served.buckets.objects |= {"p/good": b"good", "p/": b"", "p/marker/": b""}
    done = cp("-r", ALL, tmp_path / "in" / "to", cwd=tmp_path)
    assert (done.status, done.out) == (1, b"")
    (tmp_path / "in").mkdir()
    done = cp("-r", ALL, tmp_path / "in" / "to")
    assert (done.status, done.out, len(done.lines)) == (1, b"", len(bad) + 1)
    for name in bad[:-1]:
        assert any(line.startswith(f"botod: s3://{BUCKET}/p/{name}: ") for line in done.lines)
    assert done.lines[-1] == f"botod: {len(bad)} of {len(bad) + 2} files failed"
    assert tree_of(tmp_path) == {"in/to/good": b"good"}
    assert (tmp_path / "in" / "to" / "marker").is_dir()


def test_a_file_where_a_folder_has_to_be(served: Served, tmp_path: Path) -> None:
    """One of the two keys is copied, the other one named."""
    served.buckets.objects |= {"p/a": b"file", "p/a/b": b"deeper", "p/c": b"c"}
    done = cp("-r", "--jobs", "1", ALL, tmp_path / "to")
    assert done.status == 1
    assert done.lines[0].startswith(f"botod: {ALL}/a/b to {tmp_path}/to/a/b: ")
    assert done.lines[1:] == ["botod: 1 of 3 files failed"]
    assert tree_of(tmp_path / "to") == {"a": b"file", "c": b"c"}


def test_a_folder_where_a_file_has_to_be(served: Served, tmp_path: Path) -> None:
    """Small or large, it is named; the folder stays, and nothing half done beside it."""
    (tmp_path / "to" / "a").mkdir(parents=True)
    (tmp_path / "to" / "b").mkdir()
    os.mkfifo(tmp_path / "to" / "pipe")
    served.buckets.objects |= {"p/a": b"x", "p/b": b"x" * (SMALL_BYTES + 1), "p/pipe": b"x"}
    done = cp("-r", ALL, tmp_path / "to")
    assert (done.status, len(done.lines)) == (1, 4)
    assert "3 of 3 files failed" in done.lines[-1]
    assert sorted(path.name for path in (tmp_path / "to").iterdir()) == ["a", "b", "pipe"]


def test_what_cannot_be_uploaded_is_named(served: Served, tmp_path: Path) -> None:
    """Names that are not UTF-8, pipes, circles of links; the others are copied."""
    (tmp_path / "good").write_bytes(b"good")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9")).write_bytes(b"bad")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "circle").symlink_to(".")
    done = cp("-r", tmp_path, ALL)
    assert done.status == 1
    assert sorted(line.removeprefix(f"botod: {tmp_path}/") for line in done.lines[:-1]) == [
        "caf\\udce9: its name is not UTF-8, which keys are",
        "circle: a link to a folder that it is in",
        "pipe: no regular file",
    ]
    assert done.lines[-1] == "botod: 3 of 4 files failed"
    assert served.buckets.objects == {"p/good": b"good"}


def test_one_that_is_refused_stops_no_other(served: Served, tmp_path: Path) -> None:
    """Both ways."""
    files = plant(tmp_path / "from")
    served.buckets.refused["p/f0.txt"] = ("AccessDenied", "Not yours")
    done = cp("-r", tmp_path / "from", ALL)
    assert (done.status, len(done.lines)) == (1, 2)
    assert "f0.txt: AccessDenied from put_object: Not yours" in done.lines[0]
    assert len(served.buckets.objects) == len(files) - 1
    served.buckets.objects["p/f0.txt"] = b""
    done = cp("-r", ALL, tmp_path / "to")
    assert (done.status, len(done.lines)) == (1, 2)
    assert done.lines[1] == f"botod: 1 of {len(files)} files failed"
    assert len(tree_of(tmp_path / "to")) == len(files) - 1


def test_what_would_fail_for_all_ends_it(served: Served, tmp_path: Path) -> None:
    """One line, not one for each of the files."""
    plant(tmp_path / "from")
    for words, why in (
        ([tmp_path / "from", "s3://no-bucket/p"], "NoSuchBucket from put_object"),
        (["--profile", "none", tmp_path / "from", ALL], "no profile 'none'"),
    ):
        done = cp("-r", *words)
        assert (done.status, len(done.lines)) == (1, 1)
        assert done.err.startswith(f"botod: ended early: {why}")
        assert "; 0 copied, " in done.err


def test_there_is_nothing(served: Served, tmp_path: Path) -> None:
    """No such bucket, no such prefix: an error. An empty folder or bucket: nothing to do."""
    done = cp("-r", "s3://no-bucket", tmp_path / "to")
    assert (done.status, "NoSuchBucket from list_objects_v2" in done.err) == (1, True)
    served.buckets.objects["parts"] = b""
    done = cp("-r", ALL, tmp_path / "to")
    assert done.outcome == (1, b"", "botod: there is nothing whose key begins with p/\n")
    served.buckets.objects.clear()
    assert cp("-r", tmp_path, ALL).outcome == DONE
    assert cp("-r", f"s3://{BUCKET}", tmp_path / "to").outcome == DONE
    assert not (tmp_path / "to").exists()


def test_no_more_is_found_than_is_needed_soon() -> None:
    """Nor copied at once than was said, however much there is."""
    going: set[Task] = set()
    task = Task(FilePlace("x"), S3Place("b", "k"))
    given = 0

    async def endless() -> AsyncIterator[Task]:
        nonlocal given
        while True:
            given += 1
            yield replace(task, size=given)

    async def never_done(one: Task, _moved: Moved) -> None:
        going.add(one)
        await asyncio.Event().wait()

    async def run() -> None:
        tally = Tally(has_many=True)
        work = Many(never_done, screen=Screen(tally, has_bar=False), tally=tally, jobs=7)
        running = asyncio.create_task(work.run(endless()))
        for _ in range(100):
            await asyncio.sleep(0)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(run())
    assert len(going) == 7
    assert given == AHEAD + 7 + 1


def test_what_was_found_is_copied_though_not_all_could_be() -> None:
    """As when the second page of a listing fails."""
    copied: list[Task] = []

    async def some() -> AsyncIterator[Task]:
        for size in range(50):
            yield Task(FilePlace("x"), S3Place("b", "k"), size)
        raise failed(Code.SERVICE_ERROR, type="SlowDown")

    async def do(one: Task, _moved: Moved) -> None:
        copied.append(one)

    tally = Tally(has_many=True)
    work = Many(do, screen=Screen(tally, has_bar=False), tally=tally, jobs=2)
    asyncio.run(work.run(some()))
    assert len(copied) == 50
    assert summary(tally, work.stopped_by) == (
        "ended early: SlowDown from : words; 50 copied, 0 of 50 files failed"
    )


def test_a_bug_is_not_swallowed() -> None:
    """It is none of the failures that a line is written about."""

    async def one() -> AsyncIterator[Task]:
        yield Task(FilePlace("x"), S3Place("b", "k"))

    async def broken(_task: Task, _moved: Moved) -> None:
        raise KeyError("a bug")

    tally = Tally(has_many=True)
    work = Many(broken, screen=Screen(tally, has_bar=False), tally=tally, jobs=2)
    with pytest.raises(ExceptionGroup) as caught:
        asyncio.run(work.run(one()))
    assert isinstance(caught.value.exceptions[0], KeyError)


def test_a_daemon_without_room_is_asked_again(served: Served, tmp_path: Path) -> None:
    """It says when; nothing was sent."""
    config = endpoints(served.server.port) | {"limits": {"in_flight_per_peer": 2}}
    with running_daemon(config) as daemon:
        files = plant(tmp_path / "from")
        assert cp("--socket", daemon.socket_path, "-r", tmp_path / "from", ALL).outcome == DONE
        assert len(served.buckets.objects) == len(files)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")
@pytest.mark.parametrize("size", [SMALL_BYTES, 1024 * 1024], ids=["by us", "by the daemon"])
def test_a_disk_that_is_full(served: Served, tmp_path: Path, size: int) -> None:
    """One line, what was whole before stays whole, and no temporary file is left."""
    served.buckets.objects |= {f"p/{number:02}": b"x" * size for number in range(40)}
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(tmp_path)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        done = cp("-r", "--jobs", "2", ALL, tmp_path)
        left = tree_of(tmp_path)
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)
    assert (done.status, len(done.lines)) == (1, 1)
    assert done.err.startswith("botod: ended early: ")
    assert "No space left on device" in done.err
    assert left
    assert left == dict.fromkeys(left, b"x" * size)
    assert all(name.isdecimal() for name in left)


def failed(code: Code, **data: object) -> ClientError:
    """An error of the service."""
    return ClientError(code, "words", dict(data))


@pytest.mark.parametrize(
    ("error", "hopeless"),
    [
        (failed(Code.SERVICE_ERROR, type="NoSuchBucket"), True),
        (failed(Code.SERVICE_ERROR, type="NoSuchKey"), False),
        (AccessDenied(Code.ACCESS_DENIED, "words"), False),
        (NoCredentials(Code.NO_CREDENTIALS, "words"), True),
        (DaemonLost("words"), True),
        (DescriptorFailed(Code.DESCRIPTOR_FAILED, "words", {"errno": "ENOSPC"}), True),
        (DescriptorFailed(Code.DESCRIPTOR_FAILED, "words", {"errno": "EIO"}), False),
        (OSError(errno.ENOSPC, "words"), True),
        (OSError(errno.EACCES, "words"), False),
    ],
)
def test_some_errors_leave_no_hope(error: Exception, hopeless: bool) -> None:
    """All that is left would fail of the same."""
    assert is_hopeless(error) is hopeless


def test_the_last_line_counts() -> None:
    """If there is anything to say."""
    tally = Tally(has_many=True, found_num=7, done_num=7)
    assert summary(tally, None) is None
    tally.failed_num, tally.done_num = 2, 4
    assert summary(tally, None) == "2 of 7 files failed"
    assert summary(tally, OSError(errno.ENOSPC, "No space")) == (
        "ended early: No space; 4 copied, 2 of 7 files failed"
    )
