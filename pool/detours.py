"""What of boto goes round the pool: refused in a greenlet, where it would hold up the loop.

Everywhere else it is as ever. boto's modules know `requests`, `urllib` and `smtplib` by names of
their own, and those are replaced, by a view of the module that asks on which greenlet it is called;
where boto itself waits for threads, processes or sockets, the method is replaced on boto's class.
Modules that are imported later are seen to as they are imported.

docs/in-process.md lists it all.
"""

import functools
import http.client
import importlib.abc
import sys
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, PathFinder
from operator import attrgetter
from types import ModuleType
from typing import Any

from botod.pool import old_boto, stand_in
from botod.pool.bridge import in_greenlet
from botod.pool.errors import Unsupported

import boto.https_connection
from boto.connection import AWSAuthConnection

IN_A_THREAD = "call it in a thread, as wait(asyncio.to_thread(...)) does"


@dataclass(frozen=True)
class Detour:
    """A way round the pool, in the words of the error.

    parks_in_stand_in: inside `non_blocking_http` it goes through the pool, and is let through.
    """

    what: str
    why: str = "in a greenlet that would hold up every other job"
    cure: str = IN_A_THREAD
    parks_in_stand_in: bool = False

    def __str__(self) -> str:
        block = ", or inside `with non_blocking_http(pool)`" if self.parks_in_stand_in else ""
        return f"{self.what}; {self.why}: {self.cure}{block}"


REQUESTS = Detour("boto.cloudsearch asks by requests, not by the pool", parks_in_stand_in=True)
URLLIB = Detour("boto.utils gets a URL by urllib, not by the pool", parks_in_stand_in=True)
OTHER_URL = Detour("boto.utils gets a URL that is not http by urllib, not by the pool")
MAIL = Detour("boto.utils sends a mail by smtplib")
COMMAND = Detour("boto runs a command of the shell and waits for its end")
SSH = Detour("boto talks to an instance by SSH, not by the pool")
TUNNEL = Detour(
    "proxy_ssl of boto connects to a proxy by a socket of its own",
    cure="use a class made by botod.pool.pooled, which goes through a proxy by itself",
)
STOCK = Detour(
    "a connection of boto's that is not the pool's was used",
    cure=f"use a class made by botod.pool.pooled, or {IN_A_THREAD}",
)
TRANSFER = Detour(
    "boto.glacier.concurrent starts threads and waits for them",
    cure=f"{IN_A_THREAD}, with a connection that is not pooled",
)
JOIN = Detour("a thread of boto.sdb is waited for")
UPLOADS = Detour(
    "Domain.from_xml of boto.sdb uploads in threads that it does not wait for",
    why="there a pooled connection sends nothing, and nobody is told",
    cure=TRANSFER.cure,
)

SSH_CALLS = (
    "connect", "open_sftp", "get_file", "put_file", "open", "listdir", "isdir", "exists", "shell",
    "run", "run_pty",
)  # fmt: skip

METHODS: dict[str, dict[str, Detour]] = {
    "boto.connection": {"AWSAuthConnection.proxy_ssl": TUNNEL},
    "boto.https_connection": {"CertValidatingHTTPSConnection.connect": STOCK},
    "boto.utils": {"ShellCommand.run": COMMAND},
    "boto.glacier.concurrent": {
        "ConcurrentUploader.upload": TRANSFER,
        "ConcurrentDownloader.download": TRANSFER,
    },
    "boto.sdb.connection": {"ItemThread.join": JOIN},
    "boto.sdb.domain": {"Domain.from_xml": UPLOADS, "UploaderThread.join": JOIN},
    "boto.manage.task": {"Task._run": COMMAND},
    "boto.manage.cmdshell": {f"SSHClient.{name}": SSH for name in SSH_CALLS},
    "boto.mashups.server": {"Server.get_ssh_client": SSH},
}
"""Methods that are refused, by boto's module."""

STOCK_CONNECTIONS = frozenset({
    http.client.HTTPConnection,
    http.client.HTTPSConnection,
    boto.https_connection.CertValidatingHTTPSConnection,
})
"""What boto itself connects by. What comes from a factory of the user's is the user's affair."""

_refusing: weakref.WeakSet[Callable[..., Any]] = weakref.WeakSet()


def refuse(detour: Detour) -> None:
    """Raise Unsupported, which says what to do, where this way would hold up the loop."""
    if in_greenlet() and not (detour.parks_in_stand_in and stand_in.is_in_force()):
        raise Unsupported(str(detour))


class _View:
    """A module as a module of boto's sees it: as it is, but for the names given here."""

    def __init__(self, stock: Any, **instead: Any) -> None:
        self.__dict__.update(instead, _stock=stock)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_stock"], name)


def _refused(call: Callable[..., Any], detour: Detour) -> Callable[..., Any]:
    @functools.wraps(call)
    def refused(*args: Any, **kwargs: Any) -> Any:
        refuse(detour)
        return call(*args, **kwargs)

    _refusing.add(refused)
    return refused


def _refused_name(stock: Any, name: str, detour: Detour) -> Callable[..., Any]:
    """A function of a module, looked up when it is called: a test may have replaced it."""

    def refused(*args: Any, **kwargs: Any) -> Any:
        refuse(detour)
        return getattr(stock, name)(*args, **kwargs)

    return refused


def _requests_view(stock: Any) -> _View:
    """requests, with sessions that ask at each request: one may be made here and used there."""
    send = _refused(stock.Session.send, REQUESTS)
    session = type("Session", (stock.Session,), {"send": send})
    return _View(stock, get=_refused_name(stock, "get", REQUESTS), Session=session)


def _urllib_view(stock: Any) -> _View:
    """urllib, whose openers are refused as well: with a password boto installs one for all."""

    def urlopen(url: str, *args: Any, **kwargs: Any) -> Any:
        is_http = url.lower().startswith(("http:", "https:"))
        refuse(URLLIB if is_http else OTHER_URL)
        return stock.request.urlopen(url, *args, **kwargs)

    build_opener = _refused_name(stock.request, "build_opener", URLLIB)
    return _View(stock, request=_View(stock.request, urlopen=urlopen, build_opener=build_opener))


def _smtplib_view(stock: Any) -> _View:
    return _View(stock, SMTP=_refused_name(stock, "SMTP", MAIL))


VIEWS: dict[str, dict[str, Callable[[Any], _View]]] = {
    "boto.utils": {"urllib": _urllib_view, "smtplib": _smtplib_view},
    "boto.cloudsearch.document": {"requests": _requests_view},
    "boto.cloudsearch.search": {"requests": _requests_view},
    "boto.cloudsearch2.document": {"requests": _requests_view},
    "boto.cloudsearch2.search": {"requests": _requests_view},
}
"""Names of other modules that are replaced by a view, by boto's module."""


def guard(module: ModuleType) -> None:
    """See to one of boto's modules; once is enough, and again does nothing."""
    for name, new_view in VIEWS.get(module.__name__, {}).items():
        stock = getattr(module, name)
        if not isinstance(stock, _View):
            setattr(module, name, new_view(stock))
    for path, detour in METHODS.get(module.__name__, {}).items():
        owner, _dot, name = path.partition(".")
        method = attrgetter(path)(module)
        if method not in _refusing:
            setattr(getattr(module, owner), name, _refused(method, detour))


def guard_loaded() -> None:
    """See to all of boto's modules that were imported so far."""
    for name in METHODS.keys() | VIEWS.keys():
        if name in sys.modules:
            guard(sys.modules[name])


class _Finder(importlib.abc.MetaPathFinder):
    """Finds what Python would find, and has it seen to as soon as it has been run."""

    @staticmethod
    def find_spec(
        fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        is_ours = fullname in METHODS or fullname in VIEWS
        if not is_ours or fullname in old_boto.REWRITES:  # those are loaded by now
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            _guard_after(spec.loader)
        return spec


def _guard_after(loader: importlib.abc.Loader) -> None:
    run = loader.exec_module

    def exec_module(module: ModuleType) -> None:
        run(module)
        guard(module)

    # The loader stays the one that it is: others ask it for the source.
    loader.exec_module = exec_module  # type: ignore[method-assign]


_stock_get_http_connection = AWSAuthConnection.get_http_connection


def get_http_connection(
    self: Any,
    host: str | None,
    port: int,
    is_secure: bool,  # noqa: FBT001 - boto's arguments
) -> Any:
    """boto's; what comes out of it is refused in a greenlet if a request on it would block.

    A connection that boto made elsewhere and kept is refused too. Classes of the pool have a method
    of their own.
    """
    connection = _stock_get_http_connection(self, host, port, is_secure)
    if in_greenlet() and type(connection) in STOCK_CONNECTIONS and not stand_in.carries(connection):
        connection.close()
        refuse(STOCK)
    return connection


AWSAuthConnection.get_http_connection = get_http_connection
sys.meta_path.insert(0, _Finder)
guard_loaded()
