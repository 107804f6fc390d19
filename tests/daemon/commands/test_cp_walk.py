"""All files below a folder, each once, whatever links there are."""

import os
import resource
import shutil
import socket
from pathlib import Path

import pytest

from botod.daemon.commands.cp_walk import Found, PassedOver, walk
from support.daemons import short_folder


def found(folder: Path) -> list[str]:
    """The files, in order."""
    return sorted(item.relative for item in walk(str(folder)) if isinstance(item, Found))


def passed_over(folder: Path) -> dict[str, str]:
    """What is no file, and why."""
    return {item.relative: item.why for item in walk(str(folder)) if isinstance(item, PassedOver)}


def test_files_are_found_at_any_depth(tmp_path: Path) -> None:
    """By their paths below the folder; folders without files are nothing."""
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "empty").mkdir()
    for name in ("x", "a/x", "a/b/.hidden"):
        (tmp_path / name).touch()
    assert found(tmp_path) == ["a/b/.hidden", "a/x", "x"]
    assert not passed_over(tmp_path)


def test_links_are_followed(tmp_path: Path) -> None:
    """To files and to folders, to the same one twice as well."""
    (tmp_path / "in" / "a").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "x").touch()
    (tmp_path / "in" / "file").symlink_to(tmp_path / "elsewhere" / "x")
    (tmp_path / "in" / "one").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "in" / "a" / "two").symlink_to(tmp_path / "elsewhere")
    assert found(tmp_path / "in") == ["a/two/x", "file", "one/x"]


def test_a_circle_is_not_followed(tmp_path: Path) -> None:
    """However long it is: by a link to the folder itself, and by two folders that hold links."""
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "x").touch()
    (tmp_path / "a" / "self").symlink_to(".")
    (tmp_path / "a" / "b" / "up").symlink_to("..")
    (tmp_path / "b").symlink_to("a/b")
    assert found(tmp_path) == ["a/x", "b/up/x"]
    why = "a link to a folder that it is in"
    assert passed_over(tmp_path) == dict.fromkeys(("a/self", "a/b/up", "b/up/self", "b/up/b"), why)


def test_what_is_no_file_is_named() -> None:
    """Pipes, sockets, links to nothing and to themselves."""
    with short_folder() as folder, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "socket"))
        os.mkfifo(folder / "pipe")
        (folder / "broken").symlink_to("none")
        (folder / "circle").symlink_to("circle")
        (folder / "null").symlink_to("/dev/null")
        assert passed_over(folder) == {
            "socket": "no regular file",
            "pipe": "no regular file",
            "null": "no regular file",
            "broken": "No such file or directory",
            "circle": "Too many levels of symbolic links",
        }


def test_a_deep_tree_holds_few_descriptors(tmp_path: Path) -> None:
    """A folder is closed before those in it are opened."""
    depth = 60
    (tmp_path / "/".join("d" * depth)).mkdir(parents=True)
    (tmp_path / "/".join("d" * depth) / "x").touch()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(
        resource.RLIMIT_NOFILE, (len(list(Path("/proc/self/fd").iterdir())) + 20, hard)
    )
    try:
        assert found(tmp_path) == ["d/" * depth + "x"]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_folder_that_vanished_is_named(tmp_path: Path) -> None:
    """The others are walked on."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x").touch()
    walking = walk(str(tmp_path))
    first = next(walking)
    other = "b" if first == Found("a/x") else "a"
    shutil.rmtree(tmp_path / other)
    assert list(walking) == [PassedOver(f"{other}/", "No such file or directory")]


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """Not nothing to do."""
    with pytest.raises(FileNotFoundError):
        next(walk(str(tmp_path / "none")))
