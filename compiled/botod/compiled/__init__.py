"""Modules of botod, compiled: a process that asks for them imports them instead of the sources.

Only the daemon asks. The client, which other programs import, stays Python: there is nothing to
win for one request at a time, and 5 MB to load.
"""

import hashlib
import json
import sys
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES, ModuleSpec
from importlib.util import find_spec, spec_from_file_location
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
LIBRARY = HERE / "lib"


class NotUsable(Exception):
    """What is compiled cannot be used by the process; says why."""


class _Finder:
    """Finds the compiled modules, and the library in which all their code is."""

    def __init__(self) -> None:
        self._files = {_name(file): file for file in LIBRARY.rglob(f"*{EXTENSION_SUFFIXES[0]}")}

    def find_spec(self, name: str, _path: Any = None, _target: Any = None) -> ModuleSpec | None:
        file = self._files.get(name)
        return None if file is None else spec_from_file_location(name, file)


def use() -> int:
    """Have this process import what is compiled, from now on; the number of modules.

    To be called once, before any of them is imported. Raises NotUsable, if one was, or if the
    sources that are installed are not those that were compiled.
    """
    made_of: dict[str, str] = json.loads((HERE / "made_of.json").read_text())
    for module, digest in made_of.items():
        if module in sys.modules:
            raise NotUsable(f"{module} was imported before")
        _botod, package, *inside = module.split(".")
        source = _folder(f"botod.{package}").joinpath(*inside).with_suffix(".py")
        if not source.exists() or hashlib.sha256(source.read_bytes()).hexdigest() != digest:
            raise NotUsable(f"{source} is not what was compiled")
    sys.meta_path.insert(0, _Finder())
    return len(made_of)


@cache
def _folder(package: str) -> Path:
    spec = find_spec(package)
    assert spec is not None, f"there is no {package}"
    assert spec.origin is not None, f"{package} is no package"
    return Path(spec.origin).parent


def _name(file: Path) -> str:
    path = file.relative_to(LIBRARY).as_posix()
    return path.removesuffix(EXTENSION_SUFFIXES[0]).replace("/", ".")
