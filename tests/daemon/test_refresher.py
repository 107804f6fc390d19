"""Keys that are kept fresh: off the loop, ahead of time, one look at a time."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from botod.daemon import refresher as refresher_module
from botod.daemon.credentials import Keys, NoKeys
from botod.daemon.refresher import (
    AHEAD_S,
    FIRST_PAUSE_S,
    LONGEST_PAUSE_S,
    LOOK_TIMEOUT_S,
    RENEW_AGAIN_S,
    REREAD_S,
    NoCredentials,
    Refresher,
)
from botod.pool import DeadlineExceeded, HeldKeys, spawn, spawn_until
from support.loops import BOUND_S, run

FIRST = Keys("first", "secret-1", "token-1", None, "env")
SECOND = Keys("second", "secret-2", "token-2", None, "env")


class Source:
    """Gives keys, one answer after the other; the last again and again.

    None: it hangs until it is released, and gives `after` then.
    """

    def __init__(self, *answers: Keys | Exception | None, after: Keys = FIRST) -> None:
        self.after = after
        self.looks = 0
        self.at_once = self.most_at_once = 0
        self.released = threading.Event()
        self._answers = answers

    def __call__(self) -> Keys:
        answer = self._answers[min(self.looks, len(self._answers) - 1)]
        self.looks += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        assert threading.current_thread() is not threading.main_thread(), "on the loop"
        if answer is None:
            assert self.released.wait(BOUND_S)
            answer = self.after
        self.at_once -= 1
        if isinstance(answer, Exception):
            raise answer
        return answer


class Clock:
    """The wall's clock, and the loop's timers, which fire when they are told to."""

    def __init__(self) -> None:
        self.now = 1_000_000.0
        self.timers: list[tuple[float, Callable[[], None]]] = []

    def later(self, seconds: float, call: Callable[..., None], *args: Any) -> "_Timer":
        entry = (seconds, lambda: call(*args))
        self.timers.append(entry)
        return _Timer(self.timers, entry)

    @property
    def due_s(self) -> list[float]:
        return [seconds for seconds, _call in self.timers]

    def fire(self, number: int = 0) -> None:
        """What the timer with this number does, now."""
        seconds, call = self.timers.pop(number)
        self.now += seconds
        call()


class _Timer:
    def __init__(self, timers: list[Any], entry: Any) -> None:
        self._timers = timers
        self._entry = entry

    def cancel(self) -> None:
        if self._entry in self._timers:
            self._timers.remove(self._entry)


@contextmanager
def fake_clock() -> Iterator[Clock]:
    """Timers of the running loop that the test fires."""
    clock = Clock()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asyncio.get_running_loop(), "call_later", clock.later)
        yield clock


def refresher_of(source: Source, clock: Clock | None = None) -> Refresher:
    """One whose dice always show nought."""
    wall = (lambda: clock.now) if clock else (lambda: 0.0)
    return Refresher(source, name="profile 'p'", wall=wall, jitter=lambda: 0.0)


async def looked(keys: Refresher) -> None:
    """Return when no look is under way."""
    while keys._looking is not None or keys._looker is not None:
        await asyncio.sleep(0)


def triple(held: HeldKeys) -> tuple[str, str, str | None]:
    """What signs."""
    return held.access_key, held.secret_key, held.security_token


def test_jobs_wait_for_the_first_keys_and_for_no_others() -> None:
    """However many come: it is one look. The keys that they hold are replaced in place."""

    async def scenario() -> None:
        source = Source(FIRST, None, after=SECOND)
        keys = refresher_of(source)
        held = await asyncio.gather(*(spawn(keys.keys) for _ in range(20)))
        assert {triple(one) for one in held} == {FIRST.triple}
        assert (source.looks, keys.version, keys.found) == (1, 1, FIRST)
        keys.start()
        assert triple(await spawn(keys.keys)) == FIRST.triple  # the second look is under way
        source.released.set()
        await looked(keys)
        assert triple(held[0]) == SECOND.triple
        assert (source.looks, source.most_at_once, keys.version) == (2, 1, 2)
        keys.close()

    run(scenario)


@pytest.mark.parametrize(
    ("lives_s", "look_in_s"),
    [
        (3600.0, 3600.0 - AHEAD_S),
        (900.0, 450.0),
        (1.0, FIRST_PAUSE_S),
        (-5.0, FIRST_PAUSE_S),
        (None, REREAD_S),
    ],
)
def test_new_keys_are_looked_for_before_the_old_ones_end(
    lives_s: float | None, look_in_s: float
) -> None:
    """A quarter of an hour before, or at half of a short life."""

    async def scenario() -> None:
        with fake_clock() as clock:
            until = None if lives_s is None else clock.now + lives_s
            keys = refresher_of(Source(Keys("a", "s", None, until, "web")), clock)
            keys.start()
            await looked(keys)
            assert clock.due_s == [pytest.approx(look_in_s)]
            assert keys.has_keys is (lives_s is None or lives_s > 0)
            clock.fire()
            await looked(keys)
            assert keys.stats().found_total == 2
            keys.close()
            assert clock.timers == []

    run(scenario)


def test_looks_of_many_hosts_do_not_come_in_step() -> None:
    """The dice make the next one up to a quarter of the time ahead later."""

    async def scenario() -> None:
        with fake_clock() as clock:
            source = Source(Keys("a", "s", None, clock.now + 3600, "web"))
            keys = Refresher(source, name="x", wall=lambda: clock.now, jitter=lambda: 1.0)
            keys.start()
            await looked(keys)
            assert clock.due_s == [3600 - AHEAD_S * 3 / 4]
            keys.close()

    run(scenario)


def test_a_failure_is_logged_counted_and_retried(caplog: pytest.LogCaptureFixture) -> None:
    """Old keys stay in use meanwhile, as long as they are good; pauses grow up to a bound."""

    async def scenario() -> None:
        with fake_clock() as clock:
            first = Keys("a", "s", None, clock.now + 3600, "web")
            keys = refresher_of(Source(first, NoKeys("it is down"), RuntimeError("secret")), clock)
            keys.start()
            await looked(keys)
            pauses = []
            for _ in range(8):
                clock.fire()
                await looked(keys)
                pauses += clock.due_s
            assert pauses == [1, 2, 4, 8, 16, 32, 60, LONGEST_PAUSE_S]
            assert triple(await spawn(keys.keys)) == first.triple
            assert keys.stats().failed_total == 8
            clock.now += 3600
            with pytest.raises(NoCredentials, match="profile 'p': what gives them failed: Runtim"):
                await spawn(keys.keys)
            keys.close()

    run(scenario)
    assert caplog.messages[1] == "keys of profile 'p': it is down"
    assert not any("secret" in message for message in caplog.messages)
    caplog.clear()


def test_a_look_that_hangs_is_given_up(caplog: pytest.LogCaptureFixture) -> None:
    """Jobs are told so and go; no second thread hangs beside the first. What it brings is taken."""

    async def scenario() -> None:
        with fake_clock() as clock:
            source = Source(None)
            keys = refresher_of(source, clock)
            jobs = [spawn(keys.keys) for _ in range(3)]
            while not clock.timers:
                await asyncio.sleep(0)
            assert clock.due_s == [LOOK_TIMEOUT_S]
            clock.fire()
            for job in jobs:
                with pytest.raises(NoCredentials, match="has not answered for 30 s"):
                    await job
            clock.fire()  # the next look
            clock.fire()
            assert source.looks == 1
            source.released.set()
            await looked(keys)
            assert triple(await spawn(keys.keys)) == FIRST.triple
            keys.close()

    run(scenario)
    assert caplog.messages.count("keys of profile 'p': what gives them has not answered for 30 s")
    caplog.clear()


def test_a_job_s_deadline_ends_its_waiting() -> None:
    """And nobody else's."""

    async def scenario() -> None:
        source = Source(None)
        keys = refresher_of(source)
        patient = spawn(keys.keys)
        hasty = spawn_until(asyncio.get_running_loop().time() + 0.01, keys.keys)
        with pytest.raises(DeadlineExceeded):
            await hasty
        source.released.set()
        assert triple(await patient) == FIRST.triple
        keys.close()

    run(scenario)


def test_keys_that_aws_refuses_are_looked_for_anew() -> None:
    """Once for all who ask; others that are there already are taken; the same again are none."""

    async def scenario() -> None:
        source = Source(FIRST, SECOND)
        keys = refresher_of(source)
        await spawn(keys.keys)
        assert await asyncio.gather(*(spawn(keys.renew, 1) for _ in range(10))) == [True] * 10
        assert (source.looks, keys.version) == (2, 2)
        assert await spawn(keys.renew, 1)  # whoever signed with the first ones
        assert not await spawn(keys.renew, 2)  # so soon nobody looks again
        assert source.looks == 2
        keys._renewed_at -= RENEW_AGAIN_S
        assert not await spawn(keys.renew, 2)
        assert (source.looks, keys.version) == (3, 2)
        keys.close()

    run(scenario)


def test_after_its_end_nobody_looks_and_nobody_waits() -> None:
    """A look that ends later changes nothing."""

    async def scenario() -> None:
        source = Source(None)
        keys = refresher_of(source)
        job = spawn(keys.keys)
        while not source.looks:
            await asyncio.sleep(0)
        keys.close()
        with pytest.raises(NoCredentials, match="the daemon stops"):
            await job
        source.released.set()
        await looked(keys)
        assert keys.found is None
        keys.start()
        assert not await spawn(keys.renew, 0)
        assert (source.looks, keys._looking) == (1, None)

    run(scenario)


def test_without_a_thread_it_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The system may have none left for a while."""

    class NoThread(threading.Thread):
        def start(self) -> None:
            raise RuntimeError("can't start new thread")

    async def scenario() -> None:
        with fake_clock() as clock:
            keys = refresher_of(Source(FIRST), clock)
            with monkeypatch.context() as patch:
                patch.setattr(refresher_module, "Thread", NoThread)
                with pytest.raises(NoCredentials, match="can't start new thread"):
                    await spawn(keys.keys)
            clock.fire()
            await looked(keys)
            assert triple(await spawn(keys.keys)) == FIRST.triple
            keys.close()

    run(scenario)
    caplog.clear()


def test_of_a_role_the_log_alone_says_why(caplog: pytest.LogCaptureFixture) -> None:
    """Its name and its rule's are none of the caller's business."""

    async def scenario() -> None:
        source = Source(NoKeys("not arn:aws:iam::1:role/r"))
        keys = Refresher(source, name="user 7 by shop.1", is_private=True)
        with pytest.raises(NoCredentials) as caught:
            await spawn(keys.keys)
        assert str(caught.value) == (
            "the daemon has no AWS keys for this caller: its role could not be taken; "
            "the daemon's log says why"
        )
        keys.close()

    run(scenario)
    assert caplog.messages == ["keys of user 7 by shop.1: not arn:aws:iam::1:role/r"]
    caplog.clear()


def test_nothing_of_the_keys_is_told() -> None:
    """Neither by stats nor by repr."""

    async def scenario() -> None:
        keys = refresher_of(Source(FIRST))
        await spawn(keys.keys)
        for told in (repr(keys), repr(keys.stats()), repr(FIRST)):
            assert not any(part in told for part in ("first", "secret-1", "token-1"))
        assert keys.stats() == refresher_module.RefresherStats("env", None, 1, 0, "")
        keys.close()

    run(scenario)
