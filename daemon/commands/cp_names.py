r"""Names of files as keys, and back.

A key is the path below the folder that is copied, with the target's prefix before it. Back, only
keys are taken that a path could have become: any other would name a place outside of the folder,
or two keys would name one file (`a//b` and `a/b`).
"""

import os
import stat
from collections.abc import Callable

from botod.daemon.commands.cp_places import is_utf8

MAX_KEY_BYTES = 1024
"""S3's bound."""


class Unfit(Exception):
    """A name cannot be copied; the text says why."""


def key_for(folder: str, relative: str) -> str:
    """The key of a file. folder: empty, or what ends in "/". Raises Unfit."""
    if not is_utf8(relative):
        raise Unfit("its name is not UTF-8, which keys are")
    key = folder + relative
    if (size := len(key.encode())) > MAX_KEY_BYTES:
        raise Unfit(f"its key would have {size} bytes; {MAX_KEY_BYTES} may be")
    return key


def path_for(folder: str, relative: str) -> str:
    """The path of an object below `folder`. relative: its key without the prefix. Raises Unfit."""
    parts = relative.split("/")
    if "." in parts or ".." in parts:
        raise Unfit("its key has a part . or .., which leads to other folders")
    if "" in parts:
        raise Unfit("its key has an empty part, as no file's path has; give it another key")
    if "\0" in relative:
        raise Unfit("its key has a character 0, as no file's name may")
    path = os.path.join(folder, relative)  # noqa: PTH118 - pathlib costs more than a small file
    try:
        os.fsencode(path)
    except UnicodeEncodeError:
        raise Unfit("its key has characters that this system's file names cannot have") from None
    return path


def name_in(folder: str, name: str) -> str:
    """The path of a file that keeps its name in another folder. Raises Unfit."""
    if not name:
        raise Unfit("its key ends in /, so it has no name; name the file to copy to")
    return path_for(folder, name)


def no_special_file(path: str) -> None:
    """Raise Unfit if there is something that is neither a file nor a folder: a pipe, a device."""
    mode = _mode(path)
    if mode is not None and not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise Unfit("what is there is no regular file")


def is_folder(path: str) -> bool:
    return _is(path, stat.S_ISDIR)


def is_regular(path: str) -> bool:
    return _is(path, stat.S_ISREG)


def _is(path: str, kind: Callable[[int], bool]) -> bool:
    mode = _mode(path)
    return mode is not None and kind(mode)


def _mode(path: str) -> int | None:
    """None: there is nothing, or it cannot be told; who opens it will learn why."""
    try:
        return os.stat(path).st_mode  # noqa: PTH116
    except OSError:
        return None
