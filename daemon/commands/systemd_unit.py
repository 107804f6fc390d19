"""`botod systemd-unit`: print a file for systemd, or put all where systemd looks.

The path of this program stands in them.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from botod.daemon.shipped import ELSEWHERE, program, shipped, units

PLACES = {
    "botod.service": "etc/systemd/system/botod.service",
    "botod.socket": "etc/systemd/system/botod.socket",
    "botod.sysusers.conf": "etc/sysusers.d/botod.conf",
    "botod.tmpfiles.conf": "etc/tmpfiles.d/botod.conf",
}
"""Where an administrator's own files go, below the root; those of packages are elsewhere."""

CONFIG = "etc/botod/botod.toml"

NEXT = """\
next: systemd-sysusers; systemd-tmpfiles --create; systemctl daemon-reload;
systemctl enable --now botod.socket botod.service
"""

EXIT_FAILED = 1


def main(argv: Sequence[str]) -> int:
    said = parser().parse_args(argv)
    if not said.install:
        sys.stdout.write(_filled(said.name))
        return 0
    try:
        for path in _install(Path(said.root)):
            sys.stdout.write(f"{path}\n")
    except OSError as error:
        sys.stderr.write(f"botod: {error.filename}: {error.strerror}\n")
        return EXIT_FAILED
    sys.stdout.write(NEXT)
    return 0


def parser() -> argparse.ArgumentParser:
    """What may be said."""
    said = argparse.ArgumentParser(
        prog="botod systemd-unit",
        description="Print a file for systemd, with the path of this program in it; or install "
        "the units, the user, the directory and a configuration.",
    )
    said.add_argument(
        "name",
        metavar="NAME",
        nargs="?",
        default="botod.service",
        choices=units(),
        help=f"one of {', '.join(units())}; default: botod.service",
    )
    said.add_argument(
        "--install",
        action="store_true",
        help="write botod.service and what belongs to it into /etc; /etc/botod/botod.toml only if "
        "there is none; it starts nothing",
    )
    said.add_argument(
        "--root", metavar="FOLDER", default="/", help="install below this one; default: /"
    )
    return said


def _filled(name: str) -> str:
    return shipped(name).replace(ELSEWHERE, program())


def _install(root: Path) -> list[Path]:
    """Write the files. An administrator's changes belong into drop-ins, which stay."""
    written = []
    for name, place in PLACES.items():
        written.append(_write(root / place, _filled(name)))
    config = root / CONFIG
    if not config.exists():
        written.append(_write(config, shipped("botod.toml")))
    return written


def _write(path: Path, text: str) -> Path:
    """A file that everybody may read, whatever the umask; there whole or not at all."""
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.new")
    new.write_text(text, encoding="utf-8")
    new.chmod(0o644)
    return new.replace(path)
