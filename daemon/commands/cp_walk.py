"""The files below a folder, for `botod cp -r`.

Links are followed, those to folders too. One that leads to a folder it is in would never end: it is
named and passed over. One folder is open at a time, and only names of folders are kept.
"""

import os
from collections.abc import Iterator
from typing import NamedTuple


class Found(NamedTuple):
    """A file, by its path below the folder."""

    relative: str


class PassedOver(NamedTuple):
    """What cannot be copied, by its path below the folder, and why."""

    relative: str
    why: str


class _Branch(NamedTuple):
    """A folder to look into. relative: empty, or ends in "/". identity: its device and inode."""

    relative: str
    identity: tuple[int, int]
    parent: "_Branch | None"


def walk(folder: str) -> Iterator[Found | PassedOver]:
    """Whatever is below a folder, in no order. Raises OSError if there is no such folder."""
    pending = [_Branch("", _identity(os.stat(folder)), None)]  # noqa: PTH116
    while pending:
        branch = pending.pop()
        try:
            yield from _within(folder, branch, pending)
        except OSError as error:
            yield PassedOver(branch.relative, _words(error))


def _within(folder: str, branch: _Branch, pending: list[_Branch]) -> Iterator[Found | PassedOver]:
    with os.scandir(os.path.join(folder, branch.relative)) as entries:  # noqa: PTH118
        for entry in entries:
            relative = branch.relative + entry.name
            try:
                if entry.is_dir():
                    pending.append(_deeper(entry, branch))
                elif entry.is_file():
                    yield Found(relative)
                else:
                    yield PassedOver(relative, _why_no_file(entry))
            except OSError as error:
                yield PassedOver(relative, _words(error))


def _deeper(entry: "os.DirEntry[str]", branch: _Branch) -> _Branch:
    """Raises OSError if it is one of those that it is in."""
    identity = _identity(entry.stat())
    above: _Branch | None = branch
    while above is not None:
        if above.identity == identity:
            raise OSError(0, "a link to a folder that it is in")
        above = above.parent
    return _Branch(f"{branch.relative}{entry.name}/", identity, branch)


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _why_no_file(entry: "os.DirEntry[str]") -> str:
    entry.stat()  # raises where a link leads to nothing
    return "no regular file"


def _words(error: OSError) -> str:
    return error.strerror or str(error)
