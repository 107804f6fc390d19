"""The tries of one job: after what, how often, when, and what is mended between them."""

import asyncio
from collections.abc import Callable
from email.utils import formatdate
from types import SimpleNamespace
from typing import Any

import pytest

from botod.daemon import attempts as attempts_module
from botod.daemon import retries
from botod.daemon.attempts import Attempts, attempt, use
from botod.daemon.budget import LEAST, Budget
from botod.daemon.credentials import Keys
from botod.daemon.refresher import Refresher
from botod.daemon.retries import Patience
from botod.pool import HeldKeys, Interrupted, NotSent, OutcomeUnknown, Terms, spawn, spawn_until
from botod.pool.terms import Hints
from support.loops import run

from boto.exception import BotoServerError

BUSY = BotoServerError(503, "Slow Down", b"")
FAULT = BotoServerError(500, "Oops", b"")
NOW = 1_700_000_000.0


def answer(status: int, code: str) -> BotoServerError:
    """A service's error."""
    return BotoServerError(status, "", f"<Error><Code>{code}</Code></Error>".encode())


class Unit:
    """Comes to one outcome after the other; the last again and again."""

    def __init__(self, *outcomes: Any) -> None:
        self.tries = 0
        self._outcomes = outcomes

    def __call__(self) -> Any:
        outcome = self._outcomes[min(self.tries, len(self._outcomes) - 1)]
        self.tries += 1
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


class Pool:
    """What a connection tells of its host."""

    def __init__(self) -> None:
        self.overloads: list[Any] = []

    def overloaded(self, origin: Any) -> None:
        self.overloads.append(origin)


class Rig:
    """The attempts of a job, whose pauses take no time and are written down."""

    def __init__(
        self,
        *,
        idempotent: bool = True,
        retries_max: int = 3,
        can_repeat: Callable[[], bool] = lambda: True,
        found: tuple[Keys, ...] = (Keys("a", "s"),),
    ) -> None:
        self.pauses: list[float] = []
        self.terms = Terms(idempotent=idempotent)
        self.pool = Pool()
        self.provider = HeldKeys("a", "s")
        keys = iter(found)
        self.keys = Refresher(lambda: next(keys, found[-1]), name="p")
        self.budget = Budget(now=asyncio.get_running_loop().time())
        connection = SimpleNamespace(
            pool=self.pool,
            provider=self.provider,
            host="h",
            port=80,
            is_secure=False,
            origin_of=lambda *where: where,
        )
        self.attempts = Attempts(
            connection,
            keys=self.keys,
            budget=self.budget,
            patience=Patience(retries_max, 20.0),
        )
        self.can_repeat = can_repeat

    def run(self, unit: Unit) -> Any:
        """In the job's greenlet."""
        return self.attempts.run(unit, self.terms, self.can_repeat)

    async def do(self, unit: Unit, *, within_s: float = 60.0) -> Any:
        """What the unit comes to at last."""
        deadline = asyncio.get_running_loop().time() + within_s
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(attempts_module, "sleep", self.pauses.append)
            patch.setattr(attempts_module.time, "time", lambda: NOW)
            patch.setattr(retries, "random", lambda: 1.0)
            return await spawn_until(deadline, self.run, unit)


def test_a_later_try_may_work() -> None:
    """Pauses double, at most."""

    async def scenario() -> None:
        rig, unit = Rig(), Unit(NotSent("x"), BUSY, Interrupted("x"), "done")
        assert await rig.do(unit) == "done"
        assert (unit.tries, rig.pauses) == (4, [0.1, 1.0, 0.2])

    run(scenario)


@pytest.mark.parametrize("retries_max", [0, 2])
def test_the_last_error_is_the_error(retries_max: int) -> None:
    """After as many tries as the profile allows."""

    async def scenario() -> None:
        rig, unit = Rig(retries_max=retries_max), Unit(BUSY)
        with pytest.raises(BotoServerError, match="503"):
            await rig.do(unit)
        assert (unit.tries, len(rig.pauses)) == (retries_max + 1, retries_max)

    run(scenario)


@pytest.mark.parametrize("error", [OutcomeUnknown("x"), FAULT, ValueError("x"), answer(404, "No")])
def test_what_may_have_been_done_is_not_done_again(error: Exception) -> None:
    """Nor what would fail again."""

    async def scenario() -> None:
        rig, unit = Rig(idempotent=False), Unit(error)
        with pytest.raises(type(error)):
            await rig.do(unit)
        assert unit.tries == 1

    run(scenario)


def test_what_cannot_be_repeated_is_not() -> None:
    """A body that comes once, or one of which something was written already."""

    async def scenario() -> None:
        rig, unit = Rig(can_repeat=lambda: False), Unit(BUSY)
        with pytest.raises(BotoServerError):
            await rig.do(unit)
        assert unit.tries == 1

    run(scenario)


def test_no_pause_goes_beyond_the_deadline() -> None:
    """The error is told at once, instead of that the deadline passed."""

    async def scenario() -> None:
        rig, unit = Rig(), Unit(BUSY)
        rig.terms.hints = Hints(retry_after="30")
        with pytest.raises(BotoServerError):
            await rig.do(unit, within_s=20.0)
        assert (unit.tries, rig.pauses) == (1, [])
        with pytest.raises(BotoServerError):
            await rig.do(unit, within_s=50.0)
        assert rig.pauses == [30.0] * 3  # time stands still here

    run(scenario)


def test_a_host_s_budget_bounds_all_its_jobs() -> None:
    """Once it is spent, jobs fail at their first error."""

    async def scenario() -> None:
        rig = Rig()
        tries = 0
        for _ in range(20):
            unit = Unit(BUSY)
            with pytest.raises(BotoServerError):
                await rig.do(unit)
            tries += unit.tries
        assert 20 + LEAST <= tries <= 20 * 1.2 + LEAST + 1
        assert rig.budget.refused_total > 0

    run(scenario)


def test_keys_that_are_refused_are_renewed_once() -> None:
    """Where there are others, the request is signed with them; no pause, no budget."""
    expired = answer(400, "ExpiredToken")

    async def scenario() -> None:
        rig = Rig(idempotent=False, found=(Keys("a", "s"), Keys("b", "s")))
        await spawn(rig.keys.keys)
        unit = Unit(expired, "done")
        assert await rig.do(unit) == "done"
        assert (rig.keys.version, rig.pauses, rig.budget.spent_total) == (2, [], 0)
        again = Unit(expired)
        with pytest.raises(BotoServerError):
            await rig.do(again)
        assert again.tries == 1  # the keys are the same, and were looked for just now
        rig.keys.close()

    run(scenario)


def test_a_clock_that_differs_is_corrected_once() -> None:
    """By the server's Date; signatures are dated so from then on."""
    skewed = answer(403, "RequestTimeTooSkewed")

    async def scenario() -> None:
        rig = Rig(idempotent=False)
        rig.terms.hints = Hints(date=formatdate(NOW + 3600, usegmt=True))
        unit = Unit(skewed, "done")
        assert await rig.do(unit) == "done"
        assert rig.provider.clock_offset_s == 3600
        again = Unit(skewed)
        with pytest.raises(BotoServerError):
            await rig.do(again)
        assert again.tries == 1  # it is not the clock

    run(scenario)


@pytest.mark.parametrize("date", ["", "soon", formatdate(NOW + 30, usegmt=True)])
def test_a_clock_that_is_right_is_left_alone(date: str) -> None:
    """A signature may be wrong for other reasons."""

    async def scenario() -> None:
        rig, unit = Rig(), Unit(answer(403, "SignatureDoesNotMatch"))
        rig.terms.hints = Hints(date=date)
        with pytest.raises(BotoServerError):
            await rig.do(unit)
        assert (unit.tries, rig.provider.clock_offset_s) == (1, 0.0)

    run(scenario)


def test_the_pool_is_told_what_it_cannot_see() -> None:
    """That a 400 means that there is too much to do; a 503 it has seen itself."""

    async def scenario() -> None:
        rig = Rig()
        await rig.do(Unit(answer(400, "ThrottlingException"), "done"))
        assert rig.pool.overloads == [("h", 80, False)]
        await rig.do(Unit(BUSY, "done"))
        assert len(rig.pool.overloads) == 1

    run(scenario)


def test_each_request_of_several_has_its_own_tries() -> None:
    """What was done is not done again because something after it failed."""

    async def scenario() -> None:
        rig = Rig()
        first, second = Unit("one"), Unit(BUSY, "two")

        def job() -> list[Any]:
            use(rig.attempts, rig.can_repeat)
            return [attempt(first), attempt(second)]

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(attempts_module, "sleep", rig.pauses.append)
            assert await spawn(job) == ["one", "two"]
        assert (first.tries, second.tries) == (1, 2)
        assert await spawn(attempt, Unit("alone")) == "alone"

    run(scenario)


def test_a_request_s_own_terms_count() -> None:
    """A part of a job that may not be repeated may be, by itself."""

    async def scenario() -> None:
        rig, unit = Rig(idempotent=False), Unit(Interrupted("x"), "done")
        part = rig.terms.part(idempotent=True)
        with pytest.raises(Interrupted):
            await rig.do(Unit(Interrupted("x"), "done"))
        rig.terms = part
        assert await rig.do(unit) == "done"
        assert unit.tries == 2

    run(scenario)
