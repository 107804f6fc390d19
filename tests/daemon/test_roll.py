"""The numbers of jobs."""

import asyncio

from botod.daemon.options import Options
from botod.daemon.roll import Roll
from botod.daemon.runs import Run
from support.loops import run
from support.runs import job_of, run_of


def job(profile: str) -> Run:
    """One of a profile's."""
    return run_of(job_of(options=Options(profile)))


def test_numbers_are_never_given_twice() -> None:
    """The oldest come first; who has gone is found no more."""
    roll, jobs = Roll(), [job("a") for _ in range(3)]
    for one in jobs:
        roll.add(one)
    roll.remove(jobs[1])
    assert [one.number for one in roll] == [1, 3]
    assert (roll.find(2), roll.find(3), len(roll)) == (None, jobs[2], 2)
    roll.add(last := job("a"))
    assert last.number == 4


def test_it_is_told_when_a_profile_has_none_left() -> None:
    """Or when there are none at all."""

    async def main() -> None:
        roll, one, other = Roll(), job("a"), job("b")
        for each in (one, other):
            roll.add(each)
        await roll.emptied("c")
        waits = [asyncio.create_task(roll.emptied(name)) for name in ("a", "b", None)]
        roll.remove(one)
        await waits[0]
        assert not waits[1].done()
        assert (roll.number_of("a"), roll.number_of(None)) == (0, 1)
        roll.remove(other)
        await asyncio.gather(*waits)

    run(main)
