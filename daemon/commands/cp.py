"""`botod cp SOURCE TARGET`: files to objects, objects to files, objects to objects."""

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Sequence

from botod.daemon.commands.cp_bar import STDERR, has_terminal
from botod.daemon.commands.cp_places import Place, S3Place, StandardPlace, Wrong, read_place
from botod.daemon.commands.cp_run import Order, run
from botod.daemon.commands.cp_signals import die_of

EXIT_USAGE = 2

JOBS = 32
"""Half of what a daemon does at once to one host, and of the descriptors that it takes from one
user: the user's other programs find room."""

JOBS_MAX = 256
"""What a daemon lets one connection have in flight."""

USAGE = "botod cp [-r] [options] SOURCE TARGET"

DESCRIPTION = """\
Copy a file to an object, an object to a file, or an object to an object, by the daemon. SOURCE and
TARGET are s3://bucket/key, a path, or - for standard input and output; one of both is s3://….

A TARGET that ends in / or is a folder takes the source's name. With -r what is in SOURCE goes to
the same places in TARGET: the files in a folder, or all objects whose keys begin with s3://…/. The
folder TARGET is made if it is not there.
"""

EPILOG = """\
With -r links are followed, to folders too; a link to a folder that it is in, sockets, pipes and
devices are not copied. A folder without files makes no object. An object whose key ends in / and
that is empty makes a folder. Keys that are no path below TARGET (a/../b, /a, a//b) are not copied.
What is not copied is named on standard error, all else is copied, and the last line counts.

A file or an object is there whole or not at all, whatever happens.

exit status: 0 done, 1 failed (a line on standard error), 2 wrong usage, 3 no daemon,
             128 and the number of the signal that ended it
"""


def main(argv: Sequence[str]) -> int:
    try:
        order = _order(argv)
        _no_gaps()
        return asyncio.run(run(order))
    except Wrong as error:
        sys.stderr.write(f"botod: {error}\n")
        return EXIT_USAGE
    except KeyboardInterrupt:  # before anything was begun
        die_of(signal.SIGINT)
        raise


def parser() -> argparse.ArgumentParser:
    """What may be said."""
    said = argparse.ArgumentParser(
        prog="botod cp", usage=USAGE, description=DESCRIPTION, epilog=EPILOG, allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    said.add_argument("source", metavar="SOURCE", help=argparse.SUPPRESS)
    said.add_argument("target", metavar="TARGET", help=argparse.SUPPRESS)
    add = said.add_argument
    add("-r", "--recursive", action="store_true", help="copy what is in a folder or in s3://…/")
    add("--content-type", metavar="TYPE", help="of what is uploaded; default: by the file's name")
    add("--jobs", metavar="N", type=_jobs, default=JOBS,
        help=f"how many at once with -r, 1 to {JOBS_MAX}; default: {JOBS}")  # fmt: skip
    add("--dry-run", action="store_true", help="only print what would be copied")
    add("-q", "--no-progress", action="store_true", help="no progress bar on a terminal")
    add("--profile", metavar="NAME", help="the upstream to use")
    add("--socket", metavar="PATH", help="default: $BOTOD_SOCKET or the usual place")
    return said


def _order(argv: Sequence[str]) -> Order:
    given = parser().parse_args(argv)
    source, target = read_place(given.source), read_place(given.target)
    _check_open(source, target)
    if given.content_type is not None and isinstance(source, S3Place):
        raise Wrong("--content-type is for uploads; what is copied keeps its own")
    return Order(
        source=source,
        target=target,
        recursive=given.recursive,
        content_type=given.content_type,
        profile=given.profile,
        socket=given.socket,
        jobs=given.jobs,
        dry_run=given.dry_run,
        has_bar=not given.no_progress and not given.dry_run and _has_room_for_a_bar(target),
    )


def _check_open(source: Place, target: Place) -> None:
    """Raise Wrong where - is closed, as Python found it when it started."""
    if isinstance(source, StandardPlace) and sys.stdin is None:
        raise Wrong("standard input is closed")
    if isinstance(target, StandardPlace) and sys.stdout is None:
        raise Wrong("standard output is closed")


def _no_gaps() -> None:
    """Open something where standard input, output or error are closed.

    Else the connection to the daemon would have their number, and lines for a person go to it.
    """
    null = os.open(os.devnull, os.O_RDWR)
    while null <= STDERR:
        null = os.dup(null)
    os.close(null)


def _jobs(text: str) -> int:
    number = int(text) if text.isdecimal() else 0
    if not 1 <= number <= JOBS_MAX:
        raise argparse.ArgumentTypeError(f"{text} is not a number from 1 to {JOBS_MAX}")
    return number


def _has_room_for_a_bar(target: Place) -> bool:
    """Not on the terminal on which the object itself is shown."""
    return has_terminal() and not (isinstance(target, StandardPlace) and sys.stdout.isatty())
