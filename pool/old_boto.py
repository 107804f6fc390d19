"""What boto 2.49 misses in the standard library of today, put into its own modules as they load.

boto was last released for Python 3.7. Since then `collections.Mapping`, `cgi.escape`, `readfp` of
configparser, `imp`, `ssl.wrap_socket` and importers without `find_spec` have gone; without the last
not even `import boto` works, from Python 3.12 on. Importing this module, which `botod.pool` does
before anything else, puts one finder in front of `sys.meta_path`. It knows the modules named in
`REWRITES`, all of them boto's, and hands their source to Python with those lines changed. Nothing
else in the process sees a difference: no name is added to the standard library, no module stands in
`sys.modules` under a name that is not its own, no warning is filtered, and no file is written.

The same lines are changed on every Python, so that what is tested on one runs on the others. On
3.11, which still has `imp`, that quietens its warnings.
"""

import importlib.abc
import ssl
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import module_from_spec, spec_from_file_location
from socket import socket
from types import ModuleType
from typing import IO, cast

_IMP = ("import imp\n", "from botod.pool import old_boto as imp\n")

REWRITES: dict[str, tuple[tuple[str, str], ...]] = {
    "boto.vendored.six": (
        (
            "\n\nclass _SixMetaPathImporter(object):\n",
            "\nfrom botod.pool import old_boto\nclass _SixMetaPathImporter(old_boto.SpecFinder):\n",
        ),
    ),
    "boto.plugin": (_IMP,),
    "boto.pyami.launch_ami": (_IMP,),
    "boto.pyami.config": (
        ("self.readfp(", "self.read_file("),
        ('re.match("^#import', 're.match(r"^#import'),  # 3.12 warns of `\s` in a plain string
    ),
    "boto.dynamodb.types": (
        ("from collections import Mapping\n", "from collections.abc import Mapping\n"),
    ),
    "boto.mws.connection": (
        ("import collections\n", "from collections import abc as collections\n"),
    ),
    "boto.ecs.item": (
        ("import cgi\n", "import html\n"),
        ("cgi.escape(value)", "html.escape(value, quote=False)"),
    ),
    "boto.https_connection": (
        ("import ssl\n", "import ssl; from botod.pool.old_boto import wrap_socket\n"),
        ("ssl.wrap_socket(", "wrap_socket("),
        (".replace('.', '\\.')", ".replace('.', r'\\.')"),  # 3.12 warns, as above
    ),
}
"""Lines of boto 2.49.0, by module: as they are, as they are run. None is added or taken away."""


class _Finder(importlib.abc.MetaPathFinder):
    """Finds what Python would find; only the loaders of the modules to rewrite are wrapped."""

    @staticmethod
    def find_spec(
        fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in REWRITES:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and isinstance(spec.loader, importlib.abc.ExecutionLoader):
            spec.loader = _Loader(spec.loader)
        return spec


class _Loader(importlib.abc.ExecutionLoader):
    """Loads a module from its source with the lines changed; its compiled file is not used."""

    def __init__(self, stock: importlib.abc.ExecutionLoader) -> None:
        self._stock = stock

    def get_filename(self, fullname: str) -> str:
        return str(self._stock.get_filename(fullname))

    def get_source(self, fullname: str) -> str:
        text = self._stock.get_source(fullname) or ""
        for old, new in REWRITES[fullname]:
            if old not in text:
                raise ImportError(f"{fullname} is not boto 2.49.0's: it lacks {old.strip()!r}")
            text = text.replace(old, new)
        return text


class SpecFinder(importlib.abc.Loader):
    """What the importer of `six.moves` inside boto lacks: the protocol of Python 3.4 and later.

    `load_module` is that importer's. It gives a module that already has a spec of its own (`queue`
    for `six.moves.queue`), which is to keep it: so it replaces the one made for the import.
    """

    known_modules: dict[str, object]

    def find_spec(
        self,
        fullname: str,
        _path: Sequence[str] | None = None,
        _target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        return ModuleSpec(fullname, self) if fullname in self.known_modules else None

    def exec_module(self, module: ModuleType) -> None:
        del sys.modules[module.__name__]
        self.load_module(module.__name__)


def find_module(name: str, path: list[str] | None = None) -> tuple[IO[str], str, None]:
    """As in `imp`: the open file of a module, and where it is."""
    spec = PathFinder.find_spec(name, path)
    if spec is None or not spec.has_location:
        raise ImportError(f"No module named {name!r}", name=name)
    filename = cast("str", spec.origin)
    return open(filename, encoding="utf-8"), filename, None  # noqa: PTH123 - boto closes it


def load_module(name: str, _file: object, filename: str, _description: object) -> ModuleType:
    """As in `imp`: run the file as the module `name`, in the one that there is, if there is one."""
    spec = spec_from_file_location(name, filename)
    if spec is None or spec.loader is None:
        raise ImportError(f"{filename} is no Python file", name=name, path=filename)
    is_new = name not in sys.modules
    module = sys.modules.setdefault(name, module_from_spec(spec))
    try:
        spec.loader.exec_module(module)
    except BaseException:
        if is_new:
            del sys.modules[name]
        raise
    return module


def wrap_socket(
    sock: socket,
    *,
    keyfile: str | None,
    certfile: str | None,
    cert_reqs: ssl.VerifyMode,
    ca_certs: str | None,
) -> ssl.SSLSocket:
    """As in `ssl`, for boto's connections that are not the pool's; boto checks the host's name."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = cert_reqs
    if ca_certs is not None:
        context.load_verify_locations(ca_certs)
    if certfile is not None:
        context.load_cert_chain(certfile, keyfile)
    return context.wrap_socket(sock)


def install() -> None:
    """Put the finder in its place, once. A boto that was imported before stays as it is."""
    if "boto.vendored.six" in sys.modules and "boto" not in sys.modules:
        raise ImportError(
            "boto was imported before botod.pool, and failed; import botod.pool first", name="boto"
        )
    if _Finder not in sys.meta_path:
        sys.meta_path.insert(0, _Finder)


install()
