"""Two workers that share keys, over one server that counts copies."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from botod.daemon import claims
from botod.daemon.claims import SharedKeys, next_pause_s
from botod.daemon.gates import Gates
from botod.daemon.intake import Intake
from botod.daemon.joins import Joins
from botod.daemon.key_table import KeyTable
from botod.daemon.keys_file import transaction
from botod.daemon.ledger import Ledger
from botod.daemon.policy import Policy
from botod.daemon.runs import Run
from botod.daemon.upstreams import Upstreams
from botod.daemon.worker import Worker
from botod.ipc.errors import Code, RpcError
from botod.ipc.framing import MAX_INLINE_BYTES
from support.exchanges import Peer
from support.http_server import Answer, HttpServer, http_server
from support.loops import BOUND_S, run, until
from support.pools import open_pool
from support.rigs import LARGE, MESSAGE, ON_KEY, Rig, upstreams_at
from support.services import Held, query_error, query_xml, reply

SENT = query_xml("SendMessage", "<MessageId>m-1</MessageId>")
SEND = "sqs.send_message"


@contextlib.asynccontextmanager
async def two(answer: Answer, folder: Path) -> AsyncIterator[tuple[Rig, Rig]]:
    """Two workers over one pool, and the server."""
    keys = [SharedKeys(str(folder / "keys"), remember_s=600) for _ in range(2)]
    with http_server(answer) as server:
        async with open_pool() as pool:
            upstreams = upstreams_at(pool, f"http://127.0.0.1:{server.port}", 0)
            one, other = (worker_of(upstreams, server, shared, Gates(pool)) for shared in keys)
            yield one, other
            await asyncio.sleep(0)  # what is done is forgotten in the next turn
            assert one.worker.running_num == other.worker.running_num == 0
    for shared_keys in keys:
        await shared_keys.close()


def worker_of(upstreams: Upstreams, server: HttpServer, keys: SharedKeys, gates: Gates) -> Rig:
    """A worker that shares its keys."""
    joins = Joins[Run](remember_s=0)
    ledger = Ledger()
    worker = Worker(
        upstreams,
        Policy(),
        Intake(timeout_s=BOUND_S, timeout_max_s=100.0),
        joins,
        control={},
        ledger=ledger,
        gates=gates,
        jobs_max=100,
        inline_bytes=MAX_INLINE_BYTES,
        unread_timeout_s=BOUND_S,
        shared_keys=keys,
    )
    return Rig(worker, ledger, joins, server, gates)


def ask(worker: Rig, key: str = "k", **options: Any) -> Peer:
    """A message is to be sent."""
    return worker.ask(SEND, MESSAGE, idempotency_key=key, **options)


async def error_of(peer: Peer) -> RpcError:
    """The error that a request comes to."""
    error = (await peer.outcome()).error
    assert error is not None
    return error


def shared(worker: Rig) -> SharedKeys:
    """A worker's keys."""
    keys = worker.worker._keyed._shared_keys
    assert keys is not None
    return keys


def table(worker: Rig) -> KeyTable:
    """What its thread works on."""
    return shared(worker)._table


async def arrived(held: Held) -> None:
    """The server has the request."""
    assert await asyncio.to_thread(held.arrived.wait, BOUND_S)


async def joined(worker: Rig, monkeypatch: pytest.MonkeyPatch, **options: Any) -> Peer:
    """A request that waits for another worker's."""
    looks: list[object] = []
    ask_file = shared(worker).ask

    def watched(*args: Any) -> Any:
        looks.append(args[1])
        return ask_file(*args)

    monkeypatch.setattr(shared(worker), "ask", watched)
    peer = ask(worker, **options)
    await until(lambda: any(awaited is not None for awaited in looks))
    return peer


def test_requests_with_one_key_are_one_job_at_all_workers(tmp_path: Path) -> None:
    """While it is under way and afterwards; each is answered with the same."""

    async def main() -> None:
        held = Held(SENT)
        async with two(held, tmp_path) as (one, other):
            peers = [ask(worker) for worker in (one, other, one, other)]
            await arrived(held)
            held.release.set()
            results = [await peer.result() for peer in peers]
            results += [await ask(worker).result() for worker in (one, other)]
            assert results == [results[0]] * 6
            assert results[0]["MessageId"] == "m-1"
            assert len(one.server.requests) == 1
            assert one.ledger.counts.joined_total + other.ledger.counts.joined_total == 5
            told = [worker.ledger.figures.plain()["counts"] for worker in (one, other)]
            assert [count for counts in told for *_labels, count in counts] == [1]

    run(main)


def test_bytes_are_handed_on(tmp_path: Path) -> None:
    """As bytes."""

    async def main() -> None:
        async with two(reply(b"\0\xff"), tmp_path) as (one, other):
            for worker in (one, other):
                got = await worker.call("s3.get_object", ON_KEY, idempotency_key="k")
                assert got["Body"] == b"\0\xff"
            assert len(one.server.requests) == 1

    run(main)


def test_a_large_object_is_got_by_each(tmp_path: Path) -> None:
    """It is not handed on; getting it again is safe."""

    async def main() -> None:
        async with two(reply(LARGE), tmp_path) as (one, other):
            for worker in (one, other):
                got = await worker.call("s3.get_object", ON_KEY, idempotency_key="k")
                assert got["Body"] == LARGE

    run(main)


def test_a_key_for_something_else_is_refused_at_all_workers(tmp_path: Path) -> None:
    """As in one."""

    async def main() -> None:
        async with two(SENT, tmp_path) as (one, other):
            await ask(one).result()
            params = MESSAGE | {"MessageBody": "y"}
            error = await other.error(SEND, params, idempotency_key="k")
            assert error.code == Code.INVALID_PARAMS
            assert len(one.server.requests) == 1

    run(main)


def test_an_error_is_the_same_at_all_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For those who waited, word for word; later it is a new try."""

    async def main() -> None:
        held = Held(query_error("Throttling", "slow down", "400 Bad Request"))
        async with two(held, tmp_path) as (one, other):
            first = ask(one)
            await arrived(held)
            second = await joined(other, monkeypatch)
            held.release.set()
            errors = [await error_of(peer) for peer in (first, second)]
            assert (errors[0].message, errors[0].data) == (errors[1].message, errors[1].data)
            assert len(one.server.requests) == 1
            await error_of(ask(other))
            assert len(one.server.requests) == 2

    run(main)


def test_who_joined_elsewhere_keeps_its_own_deadline(tmp_path: Path) -> None:
    """When that passes it is told; the other's job goes on."""

    async def main() -> None:
        held = Held(SENT)
        async with two(held, tmp_path) as (one, other):
            first = ask(one)
            await arrived(held)
            error = await error_of(ask(other, timeout_s=0.2))
            assert error.code == Code.DEADLINE_EXCEEDED
            assert error.data["outcome_unknown"]
            held.release.set()
            await first.result()
            assert len(one.server.requests) == 1

    run(main)


def test_who_joined_elsewhere_may_leave(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told that the other's job goes on."""

    async def main() -> None:
        held = Held(SENT)
        async with two(held, tmp_path) as (one, other):
            first = ask(one)
            await arrived(held)
            second = await joined(other, monkeypatch)
            second.exchange.cancel()
            error = await error_of(second)
            assert (error.code, error.data["outcome_unknown"]) == (Code.CANCELLED, True)
            assert "goes on in another daemon" in error.message
            held.release.set()
            await first.result()

    run(main)


def test_who_waits_takes_over_what_nothing_came_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first one's deadline passed, or its peer left, and to do it again is safe."""

    async def main() -> None:
        held = Held(reply(b"fine"))
        async with two(held, tmp_path) as (one, other):
            first = one.ask("s3.get_object", ON_KEY, idempotency_key="k")
            await arrived(held)
            second = other.ask("s3.get_object", ON_KEY, idempotency_key="k")
            first.exchange.cancel()
            assert (await error_of(first)).code == Code.CANCELLED
            held.release.set()
            assert (await second.result())["Body"] == b"fine"

    run(main)


def test_a_job_that_ends_before_its_key_is_written(tmp_path: Path) -> None:
    """Its peer leaves at once: nothing is sent, and the key is free."""

    async def main() -> None:
        async with two(SENT, tmp_path) as (one, other):
            peer = ask(one)
            await asyncio.sleep(0)
            peer.exchange.cancel()
            error = await error_of(peer)
            assert (error.code, error.data["outcome_unknown"]) == (Code.CANCELLED, False)
            await ask(other).result()
            assert len(one.server.requests) == 1

    run(main)


def test_a_file_that_is_busy_for_too_long(tmp_path: Path) -> None:
    """By its deadline a request is told that nothing was sent; the loop goes on meanwhile."""

    async def main() -> None:
        async with two(SENT, tmp_path) as (one, other):
            with transaction(table(other)._db):
                error = await error_of(ask(one, timeout_s=0.05))
                assert (error.code, error.data["retryable"]) == (Code.DEADLINE_EXCEEDED, True)
                assert "nothing was sent" in error.message
                await one.call(SEND, MESSAGE)
            await ask(other).result()

    run(main)


def test_a_dead_worker_s_job_is_not_done_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who waited is told that nobody knows, and so is who asks again."""

    async def main() -> None:
        held = Held(SENT)
        async with two(held, tmp_path) as (one, other):
            first = ask(one)
            await arrived(held)
            second = await joined(other, monkeypatch)
            table(one)._file.owners.close()
            for peer in (second, ask(other)):
                error = await error_of(peer)
                assert error.code == Code.OUTCOME_UNKNOWN
                assert error.data["outcome_unknown"]
                assert not error.data["retryable"]
            held.release.set()
            await first.result()
            assert len(one.server.requests) == 1

    run(main)


def test_a_lost_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Requests with keys are refused, with nothing sent; the others go on; the log has it once."""

    async def main() -> None:
        async with two(SENT, tmp_path) as (one, _other):
            (tmp_path / "keys").unlink()
            for key in ("a", "b"):
                error = await error_of(ask(one, key))
                assert (error.code, error.data["retryable"]) == (Code.UNREACHABLE, True)
                assert not error.data["outcome_unknown"]
                assert "nothing was sent" in error.message
            await one.call(SEND, MESSAGE)
            assert len(one.server.requests) == 1

    run(main)
    (line,) = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert line.startswith(f"[daemon] keys_file = {str(tmp_path / 'keys')!r}: ")
    assert line.endswith("No such file or directory; requests with an idempotency_key are refused")
    caplog.clear()


def test_a_file_that_is_lost_while_one_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It sent nothing itself; the one that it joined may do it."""

    async def main() -> None:
        held = Held(SENT)
        async with two(held, tmp_path) as (one, other):
            first = ask(one)
            await arrived(held)
            second = await joined(other, monkeypatch)
            assert shared(other).waiting_num == 1
            (tmp_path / "keys.owners").unlink()
            error = await error_of(second)
            assert (error.code, error.data["outcome_unknown"]) == (Code.UNREACHABLE, True)
            assert shared(other).waiting_num == 0
            held.release.set()
            await first.result()

    run(main)
    caplog.clear()


@pytest.mark.parametrize(
    ("before_s", "waiting_num", "after_s"),
    [(0.005, 1, 0.01), (0.2, 1, 0.25), (0.25, 1000, 1.0), (0.25, 10**6, 5.0)],
)
def test_the_pauses_of_those_who_wait(before_s: float, waiting_num: int, after_s: float) -> None:
    """Longer each time, up to a bound, and where thousands wait."""
    assert next_pause_s(before_s, waiting_num) == after_s


def test_a_bug_while_settling_is_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The job is answered all the same."""

    async def main() -> None:
        async with two(SENT, tmp_path) as (one, _other):
            monkeypatch.setattr(table(one), "settle", lambda *_args, **_named: 1 / 0)
            await ask(one).result()

    run(main)
    assert "an outcome was not written" in caplog.text
    caplog.clear()


def test_a_full_disk(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What came of a job is told all the same, and written when there is room again."""

    async def main() -> None:
        held = Held(reply(b"x" * 50_000))
        async with two(held, tmp_path) as (one, other):
            peer = one.ask("s3.get_object", ON_KEY, idempotency_key="k")
            await arrived(held)
            table(one)._db.execute("PRAGMA max_page_count = 1")
            held.release.set()
            await peer.result()
            error = await error_of(ask(one, "next"))
            assert "disk is full" in error.message
            table(one)._db.execute("PRAGMA max_page_count = 1000000")
            held._answer = SENT
            await ask(one, "next").result()
            got = await other.call("s3.get_object", ON_KEY, idempotency_key="k")
            assert len(got["Body"]) == 50_000
            assert len(one.server.requests) == 2

    run(main)
    assert "it works again" in caplog.text
    caplog.clear()


def test_a_file_without_its_tables(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Somebody has damaged it."""

    async def main() -> None:
        async with two(SENT, tmp_path) as (one, other):
            table(other)._db.execute("DROP TABLE keys")
            error = await error_of(ask(one))
            assert (error.code, error.data["type"]) == (Code.UNREACHABLE, "KeysFileFailed")

    run(main)
    assert "no such table" in caplog.text
    caplog.clear()


def test_what_waits_behind_a_failure_fails_with_it(tmp_path: Path) -> None:
    """Else each would wait for as long as the first, one after the other."""

    async def main() -> None:
        async with two(SENT, tmp_path) as (one, _other):
            shared(one)._failed_at = 1e12
            shared(one)._failure = "it is stuck"
            error = await error_of(ask(one))
            assert "it is stuck" in error.message
            assert not one.server.requests

    run(main)


def test_closing_takes_bounded_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the file does."""
    monkeypatch.setattr(claims, "CLOSE_TIMEOUT_S", 0.01)

    async def main() -> None:
        held = Held(reply())
        keys = SharedKeys(str(tmp_path / "keys"), remember_s=1)
        keys._thread.submit(held.release.wait, BOUND_S)
        await keys.close()
        await asyncio.sleep(0)  # what was asked for and has not begun is given up
        held.release.set()
        await until(lambda: keys._thread._idle._value >= 2)
        keys._table.close()

    run(main)
