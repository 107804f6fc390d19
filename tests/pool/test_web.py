"""Blocking style in Tornado's handlers and in plain functions."""

import asyncio
import contextlib
import logging
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest
from tornado.httpserver import HTTPServer
from tornado.iostream import IOStream
from tornado.netutil import bind_sockets
from tornado.tcpclient import TCPClient
from tornado.web import Application, Finish, HTTPError, RequestHandler

from botod.pool import NotInGreenlet, in_greenlet, sleep, spawn, wait
from botod.pool.spawned import live_num
from botod.pool.web import CLIENT_CLOSED_REQUEST, blocking_style, fetch
from support.http_server import http_server
from support.loops import run, until
from support.meeting import Meeting
from support.pools import assert_idle, open_pool, sqs_connection

from boto.exception import BotoServerError

LISTED = b"<ListQueuesResponse><ListQueuesResult/></ListQueuesResponse>"


class Boom(Exception):
    """Raised by tests."""


class Handler(RequestHandler):
    """What all handlers here have in common; a test's own are made from it."""

    events: list[str]

    def on_connection_close(self) -> None:
        self.events.append("on_connection_close")

    def on_finish(self) -> None:
        self.events.append(f"finished {self.get_status()}")


def handler(**methods: Callable[..., Any]) -> type[Handler]:
    """A handler with these methods, made of functions in blocking style."""
    made = {name: blocking_style(method) for name, method in methods.items()}
    return type("Made", (Handler,), {**made, "events": []})


@contextlib.asynccontextmanager
async def serving(*kinds: type[RequestHandler]) -> AsyncIterator[list[str]]:
    """An application on the running loop, one URL a handler."""
    application = Application([(f"/{number}", kind) for number, kind in enumerate(kinds)])
    (sock,) = bind_sockets(0, "127.0.0.1")
    server = HTTPServer(application)
    server.add_socket(sock)
    port = sock.getsockname()[1]
    yield [f"http://127.0.0.1:{port}/{number}" for number in range(len(kinds))]
    server.stop()
    await server.close_all_connections()


def with_answers(*kinds: type[RequestHandler]) -> list[tuple[int, bytes]]:
    """Status and body that each handler gives to a GET."""
    answers: list[tuple[int, bytes]] = []

    async def scenario() -> None:
        async with serving(*kinds) as urls:
            for url in urls:
                answer = await AsyncHTTPClient().fetch(url, raise_error=False)
                answers.append((answer.code, answer.body))
        assert live_num() == 0

    run(scenario)
    return answers


async def value(result: Any) -> Any:
    """Give `result` in a later turn of the loop."""
    await asyncio.sleep(0)
    return result


def test_a_handler_in_blocking_style() -> None:
    """It parks where it waits, writes, and is finished by Tornado or by itself."""

    def writes(self: RequestHandler) -> None:
        self.write(wait(value("written")))

    def finishes(self: RequestHandler) -> None:
        sleep(0)
        self.finish("finished")

    def finishes_below(self: RequestHandler) -> None:
        sleep(0)
        raise Finish("ended early")

    assert with_answers(
        handler(get=writes), handler(get=finishes), handler(get=finishes_below)
    ) == [
        (200, b"written"),
        (200, b"finished"),
        (200, b"ended early"),
    ]


def test_errors_at_any_depth_and_time(caplog: pytest.LogCaptureFixture) -> None:
    """Before and after a wait, below it, in what is waited for: Tornado's own answer to each."""

    async def fails() -> None:
        await asyncio.sleep(0)
        raise HTTPError(418)

    def at_once(self: RequestHandler) -> None:
        raise HTTPError(403)

    def later(self: RequestHandler) -> None:
        def deeper(depth: int) -> None:
            if depth:
                deeper(depth - 1)
            sleep(0)
            raise Boom

        deeper(20)

    def in_a_coroutine(self: RequestHandler) -> None:
        wait(spawn(lambda: wait(fails())))

    def caught(self: RequestHandler) -> None:
        try:
            wait(fails())
        except HTTPError as error:
            self.write(str(error.status_code))

    kinds = (handler(get=method) for method in (at_once, later, in_a_coroutine, caught))
    assert [code for code, _body in with_answers(*kinds)] == [403, 500, 418, 200]
    (record,) = [record for record in caplog.records if record.name == "tornado.application"]
    assert record.exc_info is not None
    assert record.exc_info[0] is Boom
    assert "deeper" in caplog.text
    caplog.clear()


def test_an_error_after_the_end_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """The client has its answer; the error is in the log, as with any handler."""

    def get(self: RequestHandler) -> None:
        self.finish("done")
        sleep(0)
        raise Boom

    async def scenario() -> None:
        async with serving(handler(get=get)) as (url,):
            assert (await AsyncHTTPClient().fetch(url)).body == b"done"
            await until(lambda: "Boom" in caplog.text)
            caplog.clear()

    run(scenario)


def test_prepare_and_post_with_arguments() -> None:
    """Any method that Tornado awaits may be decorated; path arguments arrive."""

    def prepare(self: Any) -> None:
        self.prepared = wait(value("prepared"))

    def post(self: Any, name: str) -> None:
        self.write(f"{wait(value(self.prepared))} {name} {self.request.body.decode()}")

    async def scenario() -> None:
        application = Application([("/(.*)", handler(prepare=prepare, post=post))])
        (sock,) = bind_sockets(0, "127.0.0.1")
        server = HTTPServer(application)
        server.add_socket(sock)
        url = f"http://127.0.0.1:{sock.getsockname()[1]}/name"
        answer = await AsyncHTTPClient().fetch(url, method="POST", body="body")
        assert answer.body == b"prepared name body"
        server.stop()
        await server.close_all_connections()

    run(scenario)


async def leave_while(url: str, condition: Callable[[], object]) -> None:
    """Ask for a URL and close the connection once `condition()`."""
    host, port = url.removeprefix("http://").partition("/")[0].split(":")
    stream: IOStream = await TCPClient().connect(host, int(port))
    await stream.write(f"GET /{url.rpartition('/')[2]} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    await until(condition)
    stream.close()


def test_a_client_that_leaves_cancels_the_function(caplog: pytest.LogCaptureFixture) -> None:
    """Its cleanup runs, on_connection_close is called, and the access log says 499."""
    events: list[str] = []

    def get(self: Handler) -> None:
        events.append("begun")
        try:
            sleep(60)
        except asyncio.CancelledError:
            events.append("cancelled")
            raise
        finally:
            events.append("cleaned up")

    async def scenario() -> None:
        kind = handler(get=get)
        async with serving(kind) as (url,):
            await leave_while(url, lambda: events)
            await until(lambda: len(kind.events) == 2)
            assert events == ["begun", "cancelled", "cleaned up"]
            assert kind.events == ["on_connection_close", f"finished {CLIENT_CLOSED_REQUEST}"]
            assert live_num() == 0
        assert "499 GET" in caplog.text
        assert all(record.levelno < logging.ERROR for record in caplog.records)
        caplog.clear()

    run(scenario)


def test_a_client_that_leaves_frees_the_slot(caplog: pytest.LogCaptureFixture) -> None:
    """A boto call that nobody waits for any more is stopped, and the next one gets its slot."""
    go = threading.Event()

    def answer(exchange: Any) -> None:
        if exchange.number == 1:
            go.wait(20)
        exchange.ok(LISTED)

    async def scenario() -> None:
        with http_server(answer) as upstream:
            async with open_pool(slots=1) as pool:
                sqs = sqs_connection(pool, upstream.port)

                def get(self: RequestHandler) -> None:
                    self.write(str(sqs.get_all_queues()))

                async with serving(handler(get=get)) as (url,):
                    await leave_while(url, lambda: upstream.requests)
                    assert (await AsyncHTTPClient().fetch(url)).body == b"[]"
                    await assert_idle(pool)
                    go.set()
        caplog.clear()

    run(scenario)


def test_functions_within_functions_are_cancelled(caplog: pytest.LogCaptureFixture) -> None:
    """A decorated method waits for another one: the client leaves after the inner one has ended."""
    events: list[str] = []

    class Nested(RequestHandler):
        @blocking_style
        def get(self) -> None:
            wait(self.inner())
            events.append("inner ended")
            try:
                sleep(60)
            finally:
                events.append("outer ended")

        @blocking_style
        def inner(self) -> None:
            sleep(0)

    async def scenario() -> None:
        async with serving(Nested) as (url,):
            await leave_while(url, lambda: events)
            await until(lambda: len(events) == 2)
            await until(lambda: live_num() == 0)
        caplog.clear()

    run(scenario)


@pytest.mark.parametrize("begun", [True, False])
def test_cancelled_for_another_reason_stays_cancelled(begun: bool) -> None:
    """Only a client that left becomes a 499; who cancels the handler's task gets what is due."""

    async def scenario() -> None:
        application = Application()
        request: Any = type("Request", (), {"connection": None})()
        request.connection = type("Connection", (), {"set_close_callback": lambda *_args: None})()
        made = handler(get=lambda _self: sleep(60))(application, request)
        task = asyncio.ensure_future(made.get())  # type: ignore[arg-type]
        if begun:
            await until(live_num)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert live_num() == 0

    run(scenario)


def test_plain_functions() -> None:
    """Called, it gives an awaitable at once: value, exception, cancel, inside and out."""

    @blocking_style
    def double(number: int) -> Any:
        """Its own words."""
        if number < 0:
            raise Boom
        return wait(value(2 * number))

    async def scenario() -> None:
        assert double.__doc__ == "Its own words."
        assert await double(2) == 4
        assert await spawn(lambda: wait(double(3))) == 6
        assert await asyncio.gather(*(double(number) for number in range(100))) == [
            2 * number for number in range(100)
        ]
        with pytest.raises(Boom):
            await double(-1)

    run(scenario)


def test_coroutines_and_greenlets_mixed_in_one_handler() -> None:
    """An await, then a boto call; a boto call inside which a coroutine is waited for; and again."""

    async def scenario() -> None:
        with http_server(lambda exchange: exchange.ok(LISTED)) as upstream:
            async with open_pool() as pool:
                sqs = sqs_connection(pool, upstream.port)
                make = sqs.new_http_connection
                inside: list[str] = []

                def new_http_connection(*args: Any) -> Any:
                    inside.append(wait(value("waited for inside a boto call")))
                    return make(*args)

                sqs.new_http_connection = new_http_connection

                class Mixed(RequestHandler):
                    @blocking_style
                    async def get(self) -> None:
                        first = await value("awaited")
                        queues = sqs.get_all_queues()
                        second = await value("awaited again")
                        self.write(f"{first}, {queues}, {second}, {in_greenlet()}")

                class Awaiting(RequestHandler):
                    async def get(self) -> None:
                        first = await value("awaited")
                        self.write(f"{first}, {await spawn(sqs.get_all_queues)}, {in_greenlet()}")

                async with serving(Mixed, Awaiting) as urls:
                    answers = [await AsyncHTTPClient().fetch(url) for url in urls]
                assert [answer.body for answer in answers] == [
                    b"awaited, [], awaited again, True",
                    b"awaited, [], False",
                ]
                assert len(inside) == len(upstream.requests) == 2

    run(scenario)


@pytest.mark.parametrize("end", ["value", "error", "cancel"])
def test_a_coroutine_function_in_blocking_style(end: str) -> None:
    """Its awaits park; what they raise is raised in it, a cancel as well, and it may clean up."""
    seen: list[str] = []

    @blocking_style
    async def work() -> str:
        await asyncio.sleep(0)
        sleep(0)
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(note, "cleaned up")
            seen.append("begun")
            if end == "cancel":
                await asyncio.sleep(60)
            if end == "error":
                await fail()
            return str(await value("done"))

    async def note(what: str) -> None:
        await asyncio.sleep(0)
        seen.append(what)

    async def fail() -> None:
        await asyncio.sleep(0)
        raise Boom

    async def scenario() -> None:
        spawned = asyncio.ensure_future(work())
        await until(lambda: seen)
        await asyncio.sleep(0)
        if end == "cancel":
            spawned.cancel()
        (result,) = await asyncio.gather(spawned, return_exceptions=True)
        expected = {"value": str, "error": Boom, "cancel": asyncio.CancelledError}
        assert type(result) is expected[end]
        assert seen == ["begun", "cleaned up"]

    run(scenario)


def test_fetch_any_url() -> None:
    """Two functions fetch in blocking style, and the server answers when both are there."""

    async def scenario() -> None:
        with http_server(Meeting(2)) as server:
            url = f"http://127.0.0.1:{server.port}/x"
            async with open_pool() as pool:
                default = spawn(fetch, url)
                own = spawn(fetch, HTTPRequest(url), client=pool.client)
                assert [(await one).body for one in (default, own)] == [b"/x"] * 2

    run(scenario)


def test_fetch_has_tornados_options_and_errors() -> None:
    """A POST with headers, and HTTPClientError for a 404; outside of a greenlet it says so."""

    def answer(exchange: Any) -> None:
        status = "404 Not Found" if exchange.method == "GET" else "200 OK"
        exchange.ok(exchange.headers.get("x-own", "").encode() + exchange.body, status=status)

    async def scenario() -> None:
        with http_server(answer) as server:
            url = f"http://127.0.0.1:{server.port}/"

            def work() -> None:
                posted = fetch(url, method="POST", body=b"body", headers={"X-Own": "own-"})
                assert posted.body == b"own-body"
                with pytest.raises(HTTPClientError) as caught:
                    fetch(url)
                assert caught.value.code == 404
                assert fetch(url, raise_error=False).code == 404

            await spawn(work)
            with pytest.raises(NotInGreenlet, match="spawn"):
                fetch(url)

    run(scenario)


def test_botos_errors_reach_the_handler(caplog: pytest.LogCaptureFixture) -> None:
    """A handler catches what boto raises, as in any blocking program."""

    async def scenario() -> None:
        with http_server(lambda exchange: exchange.ok(status="403 Forbidden")) as upstream:
            async with open_pool() as pool:
                sqs = sqs_connection(pool, upstream.port)

                def get(self: RequestHandler) -> None:
                    try:
                        sqs.get_all_queues()
                    except BotoServerError as error:
                        raise HTTPError(502) from error

                async with serving(handler(get=get)) as (url,):
                    assert (await AsyncHTTPClient().fetch(url, raise_error=False)).code == 502
        caplog.clear()

    run(scenario)
