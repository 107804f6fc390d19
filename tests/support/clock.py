"""A wall clock of a daemon's own, which a test sets while it runs."""

import mmap
import struct
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from support.tools import tool

SOURCE = Path(__file__).with_name("clock.c")


@dataclass
class WallClock:
    """environ: what a process is started with to have it."""

    environ: dict[str, str]
    _offset: mmap.mmap

    def set(self, offset_s: float) -> None:
        """Be so far ahead of the machine's from now on."""
        self._offset[:] = struct.pack("d", offset_s)

    def now(self) -> float:
        """Seconds since the epoch, as the daemon sees it."""
        return time.time() + float(struct.unpack("d", self._offset)[0])


def wall_clock(folder: Path) -> WallClock:
    """A clock that is right as yet; made of files in `folder`."""
    library, offset = folder / "clock.so", folder / "clock"
    subprocess.run(
        [tool("cc"), "-shared", "-fPIC", "-o", str(library), str(SOURCE)], check=True, timeout=60
    )
    offset.write_bytes(struct.pack("d", 0.0))
    with offset.open("r+b") as file:
        mapped = mmap.mmap(file.fileno(), 0)
    return WallClock({"LD_PRELOAD": str(library), "CLOCK_OFFSET": str(offset)}, mapped)
