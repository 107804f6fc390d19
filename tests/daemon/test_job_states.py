"""What a job is said to be at, in jobs that really are there."""

import os
from collections.abc import Callable

from botod.daemon.gates import Gate
from botod.daemon.job_states import JobState, state_of
from botod.daemon.roll import Roll
from botod.ipc.descriptors import Descriptor
from support.http_server import Answer
from support.loops import run, until
from support.rigs import MESSAGE, ON_KEY, Rig, rig
from support.services import Held, reply, s3_error

BUSY = s3_error("SlowDown", "Slow down", "503 Slow Down")


def states(roll: Roll, *, is_paused: bool = False) -> list[JobState]:
    """Of all jobs, the oldest first."""
    return [state_of(one, is_paused=is_paused) for one in roll]


def seen(
    answer: Answer,
    ask: Callable[[Rig], object],
    wanted: JobState,
    *,
    is_paused: bool = False,
    **options: int,
) -> None:
    """Ask, and wait until a job is at that; then all of them are ended.

    Which of several, nobody knows: a user's first jobs look its name up in threads.
    """

    async def main() -> None:
        async with rig(answer, **options) as one:
            ask(one)
            await until(lambda: wanted in states(one.worker.roll, is_paused=is_paused))
            if isinstance(answer, Held):
                answer.release.set()
            one.gates.turn(None, Gate.OPEN)
            for job in list(one.worker.roll):
                job.kill()
            await until(lambda: not len(one.worker.roll))

    run(main)


def test_a_job_that_has_not_begun() -> None:
    """Its greenlet starts in the next turn of the loop."""

    async def main() -> None:
        async with rig(reply(b"x")) as one:
            peer = one.ask("s3.get_object", ON_KEY)
            assert states(one.worker.roll) == [JobState.STARTING]
            await peer.result()

    run(main)


def test_on_the_wire() -> None:
    """Its request was sent, and no answer came."""
    seen(Held(reply(b"x")), lambda one: one.ask("s3.get_object", ON_KEY), JobState.WIRE)


def two(one: Rig) -> None:
    """Ask for two jobs."""
    for _ in range(2):
        one.ask("s3.get_object", ON_KEY)


def test_a_slot() -> None:
    """Another job has the only one."""
    seen(Held(reply(b"x")), two, JobState.SLOT, slots=1)


def test_a_pause() -> None:
    """The slot is free, and the gate is shut."""

    def ask(one: Rig) -> None:
        one.gates.turn("default", Gate.PAUSED)
        one.ask("s3.get_object", ON_KEY)

    seen(reply(b"x"), ask, JobState.PAUSED, is_paused=True)


def test_between_tries() -> None:
    """The service asks for less, so the job sleeps."""
    seen(BUSY, lambda one: one.ask("s3.get_object", ON_KEY), JobState.RETRY, retries=5)


def test_with_others() -> None:
    """A message that is gathered while another one is on its way."""

    def ask(one: Rig) -> None:
        for _ in range(2):
            one.ask("sqs.send_message", MESSAGE)

    seen(Held(reply(b"x")), ask, JobState.TOGETHER)


def test_a_stream() -> None:
    """It is answered, and its peer grants no more credit."""

    def ask(one: Rig) -> None:
        one.ask("s3.get_object", ON_KEY, credit_bytes=10)

    seen(reply(b"x" * 500_000), ask, JobState.STREAMING)


def test_a_pipe_that_nobody_fills() -> None:
    """Its peer's descriptor has nothing to read."""
    reading, writing = os.pipe()

    def ask(one: Rig) -> None:
        one.ask("s3.put_object", ON_KEY | {"Body": Descriptor(reading), "ContentLength": 9})

    try:
        seen(reply(b""), ask, JobState.PEER)
    finally:
        os.close(writing)
