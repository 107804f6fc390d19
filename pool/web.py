"""Blocking style in Tornado's web applications, and anywhere on its loop.

`blocking_style` turns a handler's method, or any function, that is written as if it could block
into one that is awaited; `fetch` gets a URL from inside such a function.
"""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Coroutine
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

from tornado.httpclient import AsyncHTTPClient, HTTPRequest, HTTPResponse
from tornado.web import HTTPError, RequestHandler

from botod.pool.bridge import sleep, spawn, wait

if TYPE_CHECKING:
    from botod.pool.spawned import Spawned

P = ParamSpec("P")
T = TypeVar("T")

CLIENT_CLOSED_REQUEST = 499
"""The status in the access log of a request whose client left, as nginx has it."""


def blocking_style(fn: Callable[P, Any]) -> Callable[P, Awaitable[Any]]:
    """Decorate a function in blocking style; calling it gives an awaitable and does not block.

    On methods of a RequestHandler (get, post, prepare …) Tornado awaits it: what is raised, at any
    depth, arrives where Tornado expects it, and a client that leaves cancels the function. The
    handler's own `on_connection_close` is still called.

    `fn` may be a coroutine function: its own code may then block as well, between its awaits. What
    asks for the current task (asyncio.timeout, TaskGroup) finds none there; wait for a task.
    """
    plain = _driven(fn) if inspect.iscoroutinefunction(fn) else fn

    @wraps(fn)
    def run(*args: P.args, **kwargs: P.kwargs) -> Awaitable[Any]:
        if args and isinstance(args[0], RequestHandler):
            return _until_client_leaves(args[0], lambda: plain(*args, **kwargs), fn.__qualname__)
        return spawn(plain, *args, **kwargs)

    return run


def fetch(
    request: str | HTTPRequest, *, client: AsyncHTTPClient | None = None, **options: Any
) -> HTTPResponse:
    """Get any URL, from inside a spawned function: Tornado's `fetch`, options and errors.

    client: Tornado's default one unless given. A pool's client will do; slots are not asked for.
    Cancelled, it returns at once; Tornado lets the transfer end, within its `request_timeout`.
    """
    return wait((client or AsyncHTTPClient()).fetch(request, **options))


async def _until_client_leaves(handler: RequestHandler, call: Callable[[], T], name: str) -> T:
    """Run a handler's function, cancelled when its client leaves."""
    call.__qualname__ = name  # what the pool calls the function in its log
    departure = _Departure.of(handler)
    spawned = spawn(call)
    departure.running.add(spawned)
    try:
        return await spawned
    except asyncio.CancelledError:
        if departure.happened:
            raise HTTPError(CLIENT_CLOSED_REQUEST, reason="Client Closed Request") from None
        raise
    finally:
        departure.running.discard(spawned)


class _Departure:
    """What is to be cancelled when the client of one handler leaves."""

    def __init__(self, handler: RequestHandler) -> None:
        self.happened = False
        self.running: set[Spawned[Any]] = set()
        self._handler = handler
        connection: Any = handler.request.connection
        if connection is not None:
            connection.set_close_callback(self._left)

    @classmethod
    def of(cls, handler: RequestHandler) -> "_Departure":
        """The handler's one: of several functions of a request each is cancelled."""
        known = handler.__dict__.setdefault("_botod_departure", None) or cls(handler)
        handler.__dict__["_botod_departure"] = known
        return cast("_Departure", known)

    def _left(self) -> None:
        self.happened = True
        for spawned in list(self.running):
            spawned.cancel()
        self._handler.on_connection_close()


def _driven(fn: Callable[..., Coroutine[Any, Any, T]]) -> Callable[..., T]:
    """A coroutine function as one that can be spawned: its awaits park."""

    @wraps(fn)
    def drive(*args: Any, **kwargs: Any) -> T:
        coroutine = fn(*args, **kwargs)
        error: BaseException | None = None
        while True:
            try:
                future = coroutine.send(None) if error is None else coroutine.throw(error)
            except StopIteration as stop:
                return cast("T", stop.value)
            error = _parked_on(future)

    return drive


def _parked_on(future: Any) -> BaseException | None:
    """Park for what a coroutine awaits; what is to be raised in it, if anything."""
    try:
        if future is None:  # a bare yield: asyncio.sleep(0)
            sleep(0)
        else:
            wait(future)
    except BaseException as error:  # noqa: BLE001 - the coroutine gets it, whatever it is
        return error
    return None
