"""Requests that wait for their operation to be read from its model."""

import asyncio
import threading
from typing import Any

import pytest

from botod.daemon import loads
from botod.daemon.policy import Policy
from botod.daemon.rules import Rule, Who, read_line
from botod.daemon.services import CATALOG
from botod.daemon.services.operation import Operation
from botod.ipc.errors import Code
from support.loops import until
from support.rigs import ON_KEY, SENDER, TRACE, rig, run
from support.services import reply

GET_USER = ("iam.get_user", {"UserName": "u"})
USER = (
    b"<GetUserResponse><GetUserResult><User><UserName>u</UserName></User></GetUserResult>"
    b"</GetUserResponse>"
)


class Held:
    """A catalog whose reading waits until it is let go."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.go = threading.Event()

    async def load(self, service: str, name: str) -> Operation:
        self.begun.set()
        while not self.go.is_set():
            await asyncio.sleep(0.001)
        return await CATALOG.load(service, name)


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Held:
    """Reading that waits; nothing is at hand but rows."""
    one = Held()
    monkeypatch.setattr(loads, "CATALOG", one)
    monkeypatch.setattr(CATALOG, "_kept", type(CATALOG._kept)())
    return one


def test_a_request_waits_for_its_model(held: Held) -> None:
    """And others go on meanwhile."""

    async def main() -> None:
        async with rig(reply(USER)) as one:
            waiting = one.ask(*GET_USER)
            assert one.worker.running_num == 1
            assert (await one.call("s3.get_object", ON_KEY))["Body"] == USER
            assert waiting.outcomes == []
            held.go.set()
            assert (await waiting.result())["User"] == {"UserName": "u"}
            assert one.ledger.counts.jobs_total == 2

    run(main())


def test_its_deadline_holds(held: Held) -> None:
    """Nothing was sent, and asking again is safe; the error belongs to the request's trace."""

    async def main() -> None:
        async with rig(reply(USER)) as one:
            error = await one.error(*GET_USER, timeout_s=0.05, traceparent=TRACE)
            assert error.code == Code.DEADLINE_EXCEEDED
            assert error.data == {
                "service": "iam", "operation": "get_user", "retryable": True,
                "outcome_unknown": False, "traceparent": TRACE,
            }  # fmt: skip
            assert one.server.requests == []

    run(main())


def test_it_can_be_cancelled(held: Held) -> None:
    """As a job can."""

    async def main() -> None:
        async with rig(reply(USER)) as one:
            peer = one.ask(*GET_USER)
            await until(held.begun.is_set)
            peer.exchange.cancel()
            outcome = await peer.outcome()
            assert outcome.error is not None
            assert outcome.error.code == Code.CANCELLED
            assert outcome.error.data["outcome_unknown"] is False
            await until(lambda: one.worker.running_num == 0)
            assert one.server.requests == []

    run(main())


def test_it_counts_as_a_job(held: Held) -> None:
    """So that the bound on jobs holds, and a drain waits for it and ends it."""

    async def main() -> None:
        async with rig(reply(USER), jobs_max=1) as one:
            peer = one.ask(*GET_USER)
            assert (await one.error(*GET_USER)).code == Code.OVERLOADED
            assert (await one.error("s3.get_object", ON_KEY)).code == Code.OVERLOADED
            await until(held.begun.is_set)
            await one.worker.drain(0.01)
            outcome = await peer.outcome()
            assert outcome.error is not None
            assert outcome.error.code == Code.CANCELLED
            assert (await one.error(*GET_USER)).code == Code.SHUTTING_DOWN

    run(main())


def test_it_does_not_stand_in_its_own_way(held: Held) -> None:
    """Where one job may run, the one whose model was waited for does."""

    async def main() -> None:
        async with rig(reply(USER), jobs_max=1) as one:
            held.go.set()
            assert (await one.call(*GET_USER))["User"] == {"UserName": "u"}

    run(main())


def test_a_bug_is_answered(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody waits for ever because a model is not what it should be."""

    async def broken(_service: str, _name: str) -> Operation:
        raise ZeroDivisionError

    async def main() -> None:
        async with rig(reply(USER)) as one:
            monkeypatch.setattr(CATALOG, "at_hand", lambda *_names: None)
            monkeypatch.setattr(CATALOG, "load", broken)
            assert (await one.error(*GET_USER)).code == Code.INTERNAL_ERROR

    run(main())
    (record,) = caplog.records
    assert record.levelname == "ERROR"
    caplog.clear()


def test_wrong_options_and_params_are_refused() -> None:
    """The options at once, the params once it is known what they have to be."""

    async def main() -> None:
        async with rig(reply(USER)) as one:
            assert (await one.error(*GET_USER, timeout_s=-1)).code == Code.INVALID_PARAMS
            error = await one.error("iam.get_user", {"User": "u"}, traceparent=TRACE)
            assert (error.code, error.data) == (Code.INVALID_PARAMS, {"traceparent": TRACE})
            assert error.message.startswith("User is unknown; there are: UserName")
            assert (await one.error("iam.get_usr")).code == Code.METHOD_NOT_FOUND
            assert (await one.error("s3.select_object_content")).code == Code.UNSUPPORTED
            assert one.server.requests == []

    run(main())


def test_who_may_not_ask_has_nothing_read(held: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that is in none of its rules is refused before; the rest once it is known."""

    def policy(*allow: str) -> Policy:
        rule = Rule(Who(uid=SENDER.uid), tuple(map(read_line, allow)))
        return Policy(SENDER.uid + 1, rules=[rule])

    async def main() -> None:
        async with rig(reply(USER)) as one:
            one.worker._policy = policy("sts.*", "s3.get_object")
            assert (await one.error(*GET_USER)).code == Code.ACCESS_DENIED
            assert not held.begun.is_set()
            held.go.set()
            role: Any = {"RoleArn": "arn:aws:iam::1:role/role", "RoleSessionName": "session"}
            error = await one.error("sts.assume_role", role)
            assert (error.code, one.server.requests) == (Code.ACCESS_DENIED, [])
            one.worker._policy = policy("sts.assume_role")
            assert (await one.error("sts.assume_role", role)).code == Code.BAD_ANSWER

    run(main())


def test_a_made_up_token_lasts_as_long_as_its_job() -> None:
    """Tries share it; what ended unseen is not safe to ask for again: that has another token."""

    def answer(exchange: Any) -> None:
        bodies.append(exchange.body)
        exchange.cut()

    bodies: list[bytes] = []
    params = {"MinCount": 1, "MaxCount": 1}

    async def main() -> None:
        async with rig(answer, retries=1) as one:
            error = await one.error("ec2.run_instances", params)
            assert error.code == Code.OUTCOME_UNKNOWN
            assert (error.data["retryable"], error.data["outcome_unknown"]) == (False, True)
            first, second = bodies
            assert first == second
            assert b"ClientToken=" in first
            error = await one.error("ec2.run_instances", params | {"ClientToken": "mine"})
            assert (error.code, error.data["retryable"]) == (Code.UNREACHABLE, True)
            assert b"ClientToken=mine" in bodies[2] == bodies[3]
            error = await one.error("sns.publish", {"Message": "x"})
            assert (error.code, len(bodies)) == (Code.OUTCOME_UNKNOWN, 5)

    run(main())


def test_a_key_knows_a_request_again_whatever_token_is_made_up() -> None:
    """It is the params that are compared."""

    async def main() -> None:
        async with rig(reply("<RunInstancesResponse/>")) as one:
            params = {"MinCount": 1, "MaxCount": 1}
            for _ in range(2):
                await one.call("ec2.run_instances", params, idempotency_key="k")
            assert len(one.server.requests) == 1

    run(main())


def test_details_of_an_error_reach_the_peer() -> None:
    """What AWS says of it besides code and message."""
    body = '{"__type":"ConditionalCheckFailedException","message":"m","Item":{"k":{"S":"v"}}}'

    async def main() -> None:
        async with rig(reply(body, status="400 Bad Request")) as one:
            error = await one.error("dynamodb.delete_item", {"TableName": "t", "Key": {}})
            assert error.code == Code.SERVICE_ERROR
            assert error.data["type"] == "ConditionalCheckFailedException"
            assert error.data["details"] == {"Item": {"k": {"S": "v"}}}

    run(main())


def test_what_is_cancelled_at_once_is_told(held: Held) -> None:
    """In the turn in which it came, before anything has begun to wait."""

    async def main() -> None:
        async with rig(reply(USER)) as one:
            waiting = one.ask(*GET_USER)
            waiting.exchange.cancel()
            outcome = await waiting.outcome()
            assert outcome.error is not None
            assert outcome.error.code == Code.CANCELLED
            await waiting.ended()
            await until(lambda: one.worker.running_num == 0)
            assert not held.begun.is_set()

    run(main())
