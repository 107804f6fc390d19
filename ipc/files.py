"""Files that a download fills: whole or not there at all; and how far a transfer has come."""

from __future__ import annotations

import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

NAME_MAX_BYTES = 200
"""Of the target's name in the temporary file's: a name may have 255 bytes."""


class PartFile:
    """A temporary file beside `path`, for the length of a block; `keep` renames it.

    Whatever else ends the block, the file is removed.
    """

    def __init__(self, path: str) -> None:
        if os.path.isdir(path):  # noqa: PTH112 - pathlib is slow to import
            raise IsADirectoryError(f"{path} is a directory; name the file to download to")
        self._path = path
        folder, name = os.path.split(path)
        short = os.fsdecode(os.fsencode(name)[:NAME_MAX_BYTES])
        self._part = os.path.join(folder, f".{short}.{os.urandom(6).hex()}.part")  # noqa: PTH118
        self._file: Any = None
        self._is_kept = False

    def __enter__(self) -> Any:
        self._file = open(self._part, "xb", buffering=0)  # noqa: PTH123 - closed below
        return self

    def __exit__(self, *_error: object) -> None:
        self._file.close()
        if not self._is_kept:
            os.unlink(self._part)  # noqa: PTH108

    @property
    def file(self) -> Any:
        return self._file

    def keep(self) -> None:
        """It is whole: put it where it belongs, in one step."""
        os.replace(self._part, self._path)  # noqa: PTH105
        self._is_kept = True


def is_special(path: str) -> bool:
    """Whether it is there and no regular file: a pipe, or /dev/stdout, is written to as it is."""
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


class Progress:
    """Turns totals, as the daemon tells them, into boto3's calls with what came since the last."""

    def __init__(self, callback: Callable[[int], object] | None, key: str) -> None:
        self._callback = callback
        self._key = key
        self._seen = 0

    @property
    def listener(self) -> Callable[[Any], object] | None:
        """What to call with a `$/progress` value; None: nobody wants to know."""
        return None if self._callback is None else self.take

    def take(self, value: dict[str, Any]) -> None:
        self.reached(int(value.get(self._key, 0)))

    def reached(self, total_bytes: int) -> None:
        """So much there is in all now; less than before, if another attempt has begun."""
        since, self._seen = total_bytes - self._seen, total_bytes
        if since and self._callback is not None:
            self._callback(since)
