"""Many requests in one line, their answers in another."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given

from botod.ipc.batches import MAX_BYTES, Batch
from botod.ipc.errors import Code, RpcError
from botod.ipc.exchange import Outcome
from botod.ipc.limits import Budget
from botod.ipc.markers import Declared, unpack
from support.ipc import unheard
from support.wire import BYTES_TOO, UNHURRIED

REFUSED = RpcError(Code.INVALID_REQUEST, "no")


def answers(batch: Batch) -> Any:
    """What the peer reads."""
    text = b"".join(batch.finish())
    assert text.endswith(b"\n")
    assert text.count(b"\n") == 1
    return json.loads(text)


def test_each_answer_stands_under_its_id() -> None:
    """Results and errors, in the order in which they came."""
    batch = Batch(3, Budget(10**9), 0)
    batch.settle(unheard("b"), Outcome({"a": [1]}))
    batch.settle(unheard(None), Outcome(error=RpcError(Code.CANCELLED, "gone", {"x": 1})))
    batch.refuse({"id": 7, "method": "m"}, REFUSED)
    assert batch.left == 0
    assert answers(batch) == [
        {"jsonrpc": "2.0", "id": "b", "result": {"a": [1]}},
        {
            "jsonrpc": "2.0",
            "id": None,
            "error": {"code": Code.CANCELLED, "message": "gone", "data": {"x": 1}},
        },
        {"jsonrpc": "2.0", "id": 7, "error": {"code": Code.INVALID_REQUEST, "message": "no"}},
    ]


def test_it_is_known_how_many_are_still_to_come() -> None:
    """Each request counts once, answered or not."""
    batch = Batch(4, Budget(10**9), 0)
    batch.settle(unheard(1), Outcome(1))
    batch.settle(unheard(None, is_notification=True), Outcome(1))
    batch.refuse({"method": "m"}, REFUSED)
    assert batch.left == 1
    batch.refuse(7, REFUSED)
    assert batch.left == 0


def test_notifications_have_no_answer() -> None:
    """Neither when they are done nor when they fail or are refused."""
    batch = Batch(3, Budget(10**9), 0)
    batch.settle(unheard(None, is_notification=True), Outcome({"a": 1}))
    batch.settle(unheard(None, is_notification=True), Outcome(error=REFUSED))
    batch.refuse({"jsonrpc": "2.0", "method": "m"}, REFUSED)
    assert batch.left == 0
    assert batch.finish() == []


@pytest.mark.parametrize(
    ("item", "answer_to"),
    [
        (7, None),
        (None, None),
        ([], None),
        ("m", None),
        ({}, None),
        ({"params": {}}, None),
        ({"id": None, "method": "m"}, None),
        ({"id": True, "method": "m"}, None),
        ({"id": "a"}, "a"),
        ({"id": 0, "method": 7}, 0),
    ],
)
def test_what_is_no_request_is_answered(item: Any, answer_to: Any) -> None:
    """Under its id, where it has one: so the specification wants it."""
    batch = Batch(1, Budget(10**9), 0)
    batch.refuse(item, REFUSED)
    (answer,) = answers(batch)
    assert answer["id"] == answer_to
    assert answer["error"]["code"] == Code.INVALID_REQUEST


@UNHURRIED
@given(result=BYTES_TOO)
def test_a_result_comes_through_as_it_was_given(result: Any) -> None:
    """Bytes as $base64, and what only looks like a marker as it was."""
    batch = Batch(1, Budget(10**9), 0)
    batch.settle(unheard(1), Outcome(result))
    (answer,) = answers(batch)
    assert unpack(answer["result"], Declared()) == result
    assert answer.keys() == {"jsonrpc", "id", "result"}


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_all_that_is_bytes_is_base64(kind: Any) -> None:
    """Nothing can be declared beside an entry of an array."""
    batch = Batch(1, Budget(10**9), 0)
    batch.settle(unheard(1), Outcome({"Body": kind(b"\x00\xff")}))
    (answer,) = answers(batch)
    assert answer["result"] == {"Body": {"$base64": base64.b64encode(b"\x00\xff").decode()}}


@pytest.mark.parametrize(
    ("sizes", "is_fine"),
    [
        ([MAX_BYTES], True),
        ([MAX_BYTES // 2] * 2, True),
        ([MAX_BYTES + 1], False),
        ([MAX_BYTES, 1], False),
        ([MAX_BYTES // 2] * 3, False),
    ],
)
def test_an_answer_has_only_so_many_bytes(sizes: list[int], is_fine: bool) -> None:
    """Of all its values together; too many are an error of this one, the others are answered."""
    batch = Batch(2, Budget(10**9), 0)
    batch.settle(unheard(1), Outcome([bytes(size) for size in sizes]))
    batch.settle(unheard(2), Outcome("fine"))
    first, second = answers(batch)
    assert second["result"] == "fine"
    assert ("result" in first) is is_fine
    if not is_fine:
        assert first["error"]["code"] == Code.BODY_TOO_LARGE
        assert "ask alone" in first["error"]["message"]


@pytest.mark.parametrize("result", [object(), float("nan"), float("inf"), {b"k": 1}, [{1, 2}]])
def test_what_json_does_not_have_harms_no_other_answer(result: Any) -> None:
    """It is raised to who settles, who may settle it as an error; nothing was counted."""
    batch = Batch(2, Budget(10**9), 0)
    batch.settle(unheard(1), Outcome("fine"))
    with pytest.raises((TypeError, ValueError)):
        batch.settle(unheard(2), Outcome(result))
    assert batch.left == 1
    batch.settle(unheard(2), Outcome(error=RpcError(Code.INTERNAL_ERROR, "a bug")))
    assert batch.left == 0
    assert [answer["id"] for answer in answers(batch)] == [1, 2]
