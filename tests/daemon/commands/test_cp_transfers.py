"""One file copied, each way that its bytes may go."""

import os
import socket
import subprocess
import threading
from pathlib import Path

import pytest

from botod.daemon.commands.cp_transfers import content_type_of
from botod.ipc.sending import SMALL_BYTES
from support.buckets import BUCKET, Served
from support.copying import cp, started
from support.daemons import BOUND_S, short_folder
from support.tools import tool

EVERY_BYTE = bytes(range(256))
SIZES = (0, 1, 256, SMALL_BYTES, SMALL_BYTES + 1, 1_000_000)
DONE = (0, b"", "")


def body(size: int) -> bytes:
    """Every byte there is, so many times."""
    return (EVERY_BYTE * (size // 256 + 1))[:size]


@pytest.mark.parametrize("size", SIZES)
def test_a_file_there_and_back(served: Served, tmp_path: Path, size: int) -> None:
    """Every byte, by whichever way its size makes it go; nothing is said."""
    (tmp_path / "x").write_bytes(body(size))
    assert cp(tmp_path / "x", f"s3://{BUCKET}/k").outcome == DONE
    assert served.buckets.objects == {"k": body(size)}
    assert cp(f"s3://{BUCKET}/k", tmp_path / "y").outcome == DONE
    assert (tmp_path / "y").read_bytes() == body(size)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x", "y"]


@pytest.mark.parametrize("size", SIZES)
def test_standard_input_and_output(served: Served, size: int) -> None:
    """Pipes of unknown length."""
    assert cp("-", f"s3://{BUCKET}/k", stdin=body(size)).outcome == DONE
    assert cp(f"s3://{BUCKET}/k", "-").outcome == (0, body(size), "")


@pytest.mark.parametrize("size", SIZES)
def test_redirected_files(served: Served, tmp_path: Path, size: int) -> None:
    """From where they stand: what was read or written before is left alone."""
    (tmp_path / "x").write_bytes(b"head" + body(size))
    botod, whole = tool("botod"), f"s3://{BUCKET}/k"
    script = (
        f"(dd bs=4 count=1 >y 2>&-; {botod} cp - {whole}; {botod} cp {whole} - >>y; "
        "printf tail >>y) <x"
    )
    subprocess.run(["sh", "-c", script], cwd=tmp_path, check=True, timeout=BOUND_S)
    assert served.buckets.objects["k"] == body(size)
    assert (tmp_path / "y").read_bytes() == b"head" + body(size) + b"tail"


def test_named_pipes_are_files_like_others(served: Served, tmp_path: Path) -> None:
    """As a shell's <(…) and >(…) make them: opened once, and waited for."""
    os.mkfifo(tmp_path / "pipe")
    large = body(1_000_000)
    writing = threading.Thread(target=lambda: (tmp_path / "pipe").write_bytes(large))
    writing.start()
    assert cp(tmp_path / "pipe", f"s3://{BUCKET}/k").outcome == DONE
    writing.join(BOUND_S)
    assert served.buckets.objects["k"] == large
    came: list[bytes] = []
    reading = threading.Thread(target=lambda: came.append((tmp_path / "pipe").read_bytes()))
    reading.start()
    assert cp(f"s3://{BUCKET}/k", tmp_path / "pipe").outcome == DONE
    reading.join(BOUND_S)
    assert came == [large]


def test_files_of_no_size(served: Served) -> None:
    """Those in /proc say 0 and have something; /dev/null has nothing."""
    assert cp("/proc/self/status", f"s3://{BUCKET}/status").outcome == DONE
    assert b"Name:" in served.buckets.objects["status"]
    assert cp("/dev/null", f"s3://{BUCKET}/null").outcome == DONE
    assert served.buckets.objects["null"] == b""


def test_an_object_is_copied_by_the_service(served: Served) -> None:
    """Its bytes do not come here."""
    served.buckets.objects["a ü/k"] = body(1000)
    assert cp(f"s3://{BUCKET}/a ü/k", f"s3://{BUCKET}/copies/").outcome == DONE
    assert served.buckets.objects["copies/k"] == body(1000)
    assert [request.method for request in served.server.requests] == ["PUT"]


def test_a_folder_takes_the_sources_name(served: Served, tmp_path: Path) -> None:
    """Both ways, with a slash at its end or, here, without."""
    (tmp_path / "x.txt").write_bytes(b"x")
    (tmp_path / "d").mkdir()
    for target in ("", "/", "/p/"):
        assert cp(tmp_path / "x.txt", f"s3://{BUCKET}{target}").outcome == DONE
    assert sorted(served.buckets.objects) == ["p/x.txt", "x.txt"]
    for target in ("d", "d/", "."):
        assert cp(f"s3://{BUCKET}/p/x.txt", target, cwd=tmp_path).outcome == DONE
    assert (tmp_path / "d" / "x.txt").read_bytes() == b"x"


def test_the_content_type_is_guessed_or_told(served: Served, tmp_path: Path) -> None:
    """By the file's name, by the key's for standard input; none where nothing is known."""
    for name in ("a.jpg", "b.none"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "large.html").write_bytes(body(SMALL_BYTES + 1))
    target = f"s3://{BUCKET}/"
    for words in (["a.jpg", target], ["b.none", target], ["large.html", target],
                  ["-", f"{target}in.json"],
                  ["--content-type", "text/x-own", "a.jpg", f"{target}told"]):  # fmt: skip
        assert cp(*words, cwd=tmp_path).outcome == DONE
    kinds = served.buckets.types
    assert kinds["a.jpg"] == "image/jpeg"
    assert kinds["b.none"] == kinds_of_nothing(served)
    assert kinds["large.html"] == "text/html"
    assert kinds["in.json"] == "application/json"
    assert kinds["told"] == "text/x-own"


def kinds_of_nothing(served: Served) -> str | None:
    """What the daemon sends where it is told none."""
    with served.daemon.connect() as connection:
        connection.client("s3").put_object(Bucket=BUCKET, Key="nothing", Body=b"x")
    return served.buckets.types["nothing"]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("x.txt", "text/plain"),
        ("X.JPG", "image/jpeg"),
        ("x", None),
        (".txt", None),
        ("data:text/html,x.png", "image/png"),
        ("http://x/y.png", "image/png"),
    ],
)
def test_a_type_is_of_the_ending(name: str, kind: str | None) -> None:
    """Names that look like URLs are names."""
    assert content_type_of(name) == kind


def test_a_target_is_as_it_was_if_it_fails(served: Served, tmp_path: Path) -> None:
    """No such object, a folder in the way, no such folder: one line, and nothing is left."""
    (tmp_path / "x").write_bytes(b"before")
    done = cp(f"s3://{BUCKET}/none", "x", cwd=tmp_path)
    assert (done.status, done.out) == (1, b"")
    assert len(done.lines) == 1
    assert done.err.startswith(f"botod: s3://{BUCKET}/none to x: NoSuchKey from ")
    assert done.err.endswith(": There is no such key\n")
    assert (tmp_path / "x").read_bytes() == b"before"
    done = cp(f"s3://{BUCKET}/none", "no/x", cwd=tmp_path)
    assert (done.status, "No such file or directory" in done.err) == (1, True)
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_what_cannot_be_read_is_named(served: Served) -> None:
    """A socket, a file that is not there, standard input that is closed."""
    with short_folder() as folder, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "socket"))
        for name, why in (("socket", "No such device"), ("none", "No such file")):
            done = cp(folder / name, f"s3://{BUCKET}/k")
            assert (done.status, len(done.lines), why in done.err) == (1, 1, True), done.err
    script = ["sh", "-c", f"{tool('botod')} cp - s3://{BUCKET}/k <&-"]
    shell = subprocess.run(script, capture_output=True, text=True, check=False, timeout=BOUND_S)
    assert (shell.returncode, shell.stderr) == (2, "botod: standard input is closed\n")
    assert not served.buckets.objects


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_what_is_closed_is_not_used(served: Served, tmp_path: Path, closed: str) -> None:
    """Its number is not that of the connection, to which lines for a person would be written."""
    (tmp_path / "x").write_bytes(b"x")
    for what, status in (("x", 0), ("none", 1)):
        script = f"{tool('botod')} cp {what} s3://{BUCKET}/k {closed}"
        shell = subprocess.run(["sh", "-c", script], cwd=tmp_path, check=False, timeout=BOUND_S)
        assert shell.returncode == status
    assert served.buckets.objects == {"k": b"x"}


def test_no_space_left(served: Served) -> None:
    """Written by the daemon, or by us."""
    served.buckets.objects["k"] = body(1_000_000)
    done = cp(f"s3://{BUCKET}/k", "/dev/full")
    assert (done.status, "No space left on device" in done.err) == (1, True)


def test_a_slow_standard_input_holds_nothing_up(served: Served) -> None:
    """An error is said when it is there, not when the next byte comes."""
    with started("-", "s3://no-bucket/k") as copy:
        assert copy.stdin is not None
        assert copy.stdout is not None
        assert copy.stderr is not None
        copy.stdin.write(body(SMALL_BYTES * 2))
        copy.stdin.flush()
        copy.stdin.close()
        assert b"NoSuchBucket" in copy.stderr.read()
        assert copy.wait(BOUND_S) == 1
