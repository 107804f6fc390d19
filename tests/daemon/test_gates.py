"""What becomes of jobs at a gate that an administrator turned."""

import json

import pytest

from botod.daemon.gates import Gate, Gates
from botod.ipc.errors import Code, RpcError
from support.loops import run
from support.pools import open_pool


def gates_after(*turns: tuple[str | None, Gate]) -> list[Gate]:
    """What holds for profiles a and b."""
    found: list[Gate] = []

    async def main() -> None:
        async with open_pool() as pool:
            gates = Gates(pool)
            for profile, gate in turns:
                gates.turn(profile, gate)
            found.extend(map(gates.of, "ab"))
            assert gates.are_open == (found == [Gate.OPEN, Gate.OPEN])
            assert [gates.is_paused(one) for one in "ab"] == [pool._is_held(one) for one in "ab"]

    run(main)
    return found


@pytest.mark.parametrize(
    ("turns", "holds"),
    [
        ([], [Gate.OPEN, Gate.OPEN]),
        ([("a", Gate.PAUSED)], [Gate.PAUSED, Gate.OPEN]),
        ([(None, Gate.PAUSED)], [Gate.PAUSED, Gate.PAUSED]),
        ([("a", Gate.DRAINED), (None, Gate.PAUSED)], [Gate.DRAINED, Gate.PAUSED]),
        ([("a", Gate.DRAINED), ("a", Gate.PAUSED)], [Gate.PAUSED, Gate.OPEN]),
        ([(None, Gate.PAUSED), ("a", Gate.OPEN)], [Gate.PAUSED, Gate.PAUSED]),
        ([("a", Gate.DRAINED), ("b", Gate.PAUSED), (None, Gate.OPEN)], [Gate.OPEN, Gate.OPEN]),
    ],
)
def test_the_stricter_of_two_gates_holds(
    turns: list[tuple[str | None, Gate]], holds: list[Gate]
) -> None:
    """The last word counts for each; to open that of all opens each."""
    assert gates_after(*turns) == holds


@pytest.mark.parametrize(("profile", "words"), [("a", "no jobs of profile 'a'"), (None, "no jobs")])
def test_what_is_drained_is_refused(profile: str | None, words: str) -> None:
    """With when to come again; what is paused is not."""

    async def main() -> None:
        async with open_pool() as pool:
            gates = Gates(pool)
            gates.turn("a", Gate.PAUSED)
            gates.check("a")
            gates.turn(profile, Gate.DRAINED)
            with pytest.raises(RpcError, match=f"^{words} are taken") as caught:
                gates.check("a")
            assert caught.value.code == Code.DRAINED
            assert caught.value.data == {"retryable": True, "retry_after_ms": 5000}
            if profile is not None:
                gates.check("b")

    run(main)


def test_a_colleague_takes_what_was_turned() -> None:
    """As it comes over the wire; what is open changes nothing, what is paused holds the pool."""

    async def main() -> None:
        async with open_pool() as pool, open_pool() as other:
            gates, taken = Gates(pool), Gates(other)
            gates.turn("a", Gate.PAUSED)
            gates.turn("b", Gate.OPEN)
            taken.turn("b", Gate.DRAINED)
            taken.take(json.loads(json.dumps(gates.told())))
            assert [taken.of(one) for one in "abc"] == [Gate.PAUSED, Gate.DRAINED, Gate.OPEN]
            assert other._is_held("a")
            gates.turn(None, Gate.DRAINED)
            taken.take(json.loads(json.dumps(gates.told())))
            assert taken.told() == {
                "all": "drained",
                "profiles": {"a": "paused", "b": "drained"},
            }

    run(main)
