"""How many slots a host has, by what it answers."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botod.pool.feedback import Feedback


def told(feedback: Feedback, *, good: int = 0, bad: int = 0) -> int:
    """The slots after so many answers of each kind, the bad ones first."""
    for _ in range(bad):
        feedback.bad()
    for _ in range(good):
        feedback.good()
    return feedback.slots


def test_each_bad_answer_takes_a_slot_and_one_stays() -> None:
    """With none left nobody would find out that the host is well again."""
    feedback = Feedback(4)
    assert [told(feedback, bad=1) for _ in range(5)] == [3, 2, 1, 1, 1]
    assert feedback.shrinks_total == 3


def test_a_slot_comes_back_for_as_many_good_answers_as_there_are() -> None:
    """From one slot to four takes 1 + 2 + 3 of them, and no more than all come back."""
    feedback = Feedback(4)
    told(feedback, bad=3)
    assert [told(feedback, good=number) for number in (1, 1, 1, 2, 1, 100)] == [2, 2, 3, 3, 4, 4]


def test_it_says_whether_the_slots_changed() -> None:
    """Only then is there anything to be done about it."""
    feedback = Feedback(2)
    assert [feedback.bad(), feedback.bad()] == [True, False]
    assert [feedback.good(), feedback.good()] == [True, False]


@pytest.mark.parametrize(("share", "least", "most"), [(0.0, 64, 64), (0.05, 12, 30), (0.3, 1, 6)])
def test_the_slots_follow_the_share_of_bad_answers(share: float, least: int, most: int) -> None:
    """Where a host refuses one in n, some n slots are what it gets."""
    random, feedback = Random(1), Feedback(64)
    seen = []
    for _ in range(5000):
        if random.random() < share:
            feedback.bad()
        else:
            feedback.good()
        seen.append(feedback.slots)
    assert least <= sum(seen[1000:]) / len(seen[1000:]) <= most


def test_other_bounds_hold_at_once() -> None:
    """A host that has all its slots has all of the new ones; one that has fewer does not."""
    well, ill = Feedback(8), Feedback(8)
    told(ill, bad=4)
    for feedback in (well, ill):
        feedback.resize(16)
    assert (well.slots, ill.slots) == (16, 4)
    for feedback in (well, ill):
        feedback.resize(2)
    assert (well.slots, ill.slots) == (2, 2)


@given(st.integers(1, 9), st.lists(st.booleans() | st.integers(1, 9)))
def test_there_is_always_a_slot_and_never_too_many(most: int, steps: list[bool | int]) -> None:
    """Whatever comes."""
    feedback = Feedback(most)
    for step in steps:
        if step is True:
            feedback.good()
        elif step is False:
            feedback.bad()
        else:
            feedback.resize(step)
        assert 1 <= feedback.slots <= feedback.most
    assert repr(feedback) == f"<Feedback {feedback.slots}/{feedback.most} slots>"
