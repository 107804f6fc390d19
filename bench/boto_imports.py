"""Which submodules of boto import on this Python with botod.pool loaded first, and why not others.

    python bench/boto_imports.py            # with botod installed
    python bench/boto_imports.py --stock    # boto as it is, on a Python that has only boto

Each part of boto is imported in a process of its own, without keys and with an empty home.
`boto.manage.test_manage` is never imported: it would create a volume.
"""

import os
import pkgutil
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path

NEVER = {"boto.manage.test_manage"}

IMPORT_EACH = """
import importlib, sys, warnings
warnings.simplefilter("ignore")
if sys.argv[1] == "pool":
    import botod.pool
for name in sys.argv[2:]:
    try:
        importlib.import_module("boto")  # if it fails it leaves parts behind that would pass
        importlib.import_module(name)
    except Exception as error:
        print(name, type(error).__name__, error, sep="\\t")
"""


def submodules(folder: Path, prefix: str) -> Iterator[str]:
    """The names of all modules under a package's folder; nothing is imported."""
    for module in pkgutil.iter_modules([str(folder)], prefix):
        yield module.name
        if module.ispkg:
            yield from submodules(folder / module.name.rpartition(".")[2], f"{module.name}.")


def failures(names: list[str], *, stock: bool) -> Iterator[tuple[str, str, str]]:
    """The name, the kind of error and its words, of each that does not import."""
    with tempfile.TemporaryDirectory() as home:
        for _, part in groupby(names, key=lambda name: name.split(".")[1]):
            output = subprocess.run(
                [sys.executable, "-c", IMPORT_EACH, "stock" if stock else "pool", *part],
                env={"HOME": home, "PATH": os.environ["PATH"]},
                cwd=home,
                check=True,
                stdout=subprocess.PIPE,
                text=True,
            ).stdout
            for line in output.splitlines():
                name, kind, words = line.split("\t")
                yield name, kind, words


def main() -> None:
    """Print the count, then one line for each module that fails."""
    stock = sys.argv[1:] == ["--stock"]
    where = find_spec("boto")  # finds it without importing it
    if where is None or not where.submodule_search_locations:
        sys.exit("boto is not installed")
    names = sorted(submodules(Path(where.submodule_search_locations[0]), "boto."))
    failed = list(failures([name for name in names if name not in NEVER], stock=stock))
    imported = len(names) - len(NEVER) - len(failed)
    how = "stock" if stock else "with botod.pool"
    print(f"Python {platform.python_version()}, {how}: {imported} of {len(names)} import")
    for failure in failed:
        print(*failure, sep="\t")
    for name in sorted(NEVER):
        print(name, "never tried", sep="\t")


if __name__ == "__main__":
    main()
