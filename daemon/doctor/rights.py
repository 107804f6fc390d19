"""What a user may do to files, by their modes: asked for others, root's word would be no answer."""

import os
import stat
from pathlib import Path

from botod.daemon.callers import Caller

READ, WRITE, ENTER = 4, 2, 1

OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def may(caller: Caller, found: os.stat_result, right: int) -> bool:
    """Whether a user has a right to a file. Access control lists are not looked at."""
    if caller.uid == 0:
        return True
    if found.st_uid == caller.uid:
        return bool(found.st_mode >> 6 & right)
    if found.st_gid in caller.groups:
        return bool(found.st_mode >> 3 & right)
    return bool(found.st_mode & right)


def closed_to(caller: Caller, path: str) -> str | None:
    """The first directory on the way to a file that a user may not enter; None: all are open."""
    folders = [*reversed(Path(path).absolute().parents)]
    return next((str(one) for one in folders if not may(caller, one.stat(), ENTER)), None)


def rights_text(found: os.stat_result) -> str:
    """As chmod takes them."""
    return f"{stat.S_IMODE(found.st_mode):04o}"
