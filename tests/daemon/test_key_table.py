"""Keys over several workers: who may do a request, and what the others are told."""

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from botod.daemon import key_table
from botod.daemon.joins import RESULT_BYTES_MAX, KeyTaken, Name
from botod.daemon.key_table import PASSED_S, KeyTable, OwnerDied, Ticket, Underway
from botod.daemon.keys_file import KeysFile
from botod.ipc.errors import Code, RpcError
from botod.ipc.exchange import Outcome

ASKED, OTHER = b"a" * 32, b"b" * 32
NAME = Name(7, "order-1")
DONE = Outcome({"MessageId": "1", "Body": b"\0"})
LATER = Outcome(error=RpcError(Code.OVERLOADED, "busy", {"retryable": True}))
REFUSED = Outcome(error=RpcError(Code.SERVICE_ERROR, "no", {"attempts": 1, "retryable": False}))
UNKNOWN = Outcome(error=RpcError(Code.OUTCOME_UNKNOWN, "cut", {"outcome_unknown": True}))
LARGE = Outcome({"Body": b"x" * RESULT_BYTES_MAX})

NewTable = Callable[..., KeyTable]


@pytest.fixture
def new_table(tmp_path: Path) -> Iterator[NewTable]:
    """Workers that share one file."""
    with contextlib.ExitStack() as stack:

        def new(remember_s: float = 60, now: float = 0) -> KeyTable:
            file = KeysFile(str(tmp_path / "keys"))
            table = KeyTable(file, remember_s=remember_s, now=now)
            stack.callback(die, table)
            return table

        yield new


def die(table: KeyTable) -> None:
    """As a killed process does: nothing is written any more, and its lock goes."""
    table._file.close()


def ticket(number: int = 0, asked: bytes = ASKED, *, repeatable: bool = False) -> Ticket:
    """A request with the one key."""
    return Ticket(NAME, asked, number, repeatable)


def told(outcome: Any) -> Any:
    """An outcome, to be compared; errors have no equality."""
    if not isinstance(outcome, Outcome):
        return outcome
    error = outcome.error
    return outcome.result if error is None else (error.code, error.message, error.data)


def test_a_key_is_free_then_under_way_then_remembered(new_table: NewTable) -> None:
    """For all workers, and for one that starts later."""
    first, second = new_table(), new_table()
    assert first.claim(ticket(), now=0) is None
    underway = second.claim(ticket(), now=1)
    assert underway == Underway(first._owner, 0)
    assert second.claim(ticket(), now=1, awaited=underway) == underway
    first.settle(ticket(), DONE, now=2)
    assert second.claim(ticket(), now=3, awaited=underway) == DONE
    assert new_table(now=1).claim(ticket(5), now=61.9) == DONE
    assert second.claim(ticket(6), now=62) is None


def test_a_key_belongs_to_one_request(new_table: NewTable) -> None:
    """Used for something else it is refused, whether under way or done."""
    first, second = new_table(), new_table()
    first.claim(ticket(), now=0)
    with pytest.raises(KeyTaken):
        second.claim(ticket(asked=OTHER), now=0)
    first.settle(ticket(), DONE, now=0)
    with pytest.raises(KeyTaken):
        second.claim(ticket(asked=OTHER), now=0)


def test_users_have_keys_of_their_own(new_table: NewTable) -> None:
    """Nobody learns of another's; half a surrogate pair is a key, too."""
    table = new_table()
    for number, name in enumerate((NAME, Name(8, NAME.key), Name(7, "\ud800"), Name(7, "\0"))):
        assert table.claim(Ticket(name, ASKED, number, False), now=0) is None


def test_of_a_dead_worker_s_job_nothing_is_known(new_table: NewTable) -> None:
    """One that must not be done twice is not, for as long as its outcome would be remembered."""
    first, second = new_table(), new_table()
    first.claim(ticket(), now=0)
    underway = second.claim(ticket(), now=0)
    assert isinstance(underway, Underway)
    die(first)
    with pytest.raises(OwnerDied):
        second.claim(ticket(), now=5, awaited=underway)
    with pytest.raises(KeyTaken):
        second.claim(ticket(1, OTHER), now=5)
    with pytest.raises(OwnerDied):
        second.claim(ticket(2), now=64.9)
    assert second.claim(ticket(3), now=65) is None


def test_a_dead_worker_s_job_that_is_safe_to_repeat_is_repeated(new_table: NewTable) -> None:
    """By whoever waited for it."""
    first, second = new_table(), new_table()
    first.claim(ticket(repeatable=True), now=0)
    underway = second.claim(ticket(repeatable=True), now=0)
    assert isinstance(underway, Underway)
    die(first)
    assert second.claim(ticket(repeatable=True), now=0, awaited=underway) is None


def test_a_worker_that_starts_settles_what_the_dead_have_left(new_table: NewTable) -> None:
    """From then on it is remembered for so long and no longer."""
    first, second = new_table(), new_table()
    first.claim(ticket(), now=0)
    second.claim(Ticket(Name(7, "lives"), ASKED, 1, False), now=0)
    die(first)
    third = new_table(now=100)
    assert third.claim(Ticket(Name(7, "lives"), ASKED, 0, False), now=100) is not None
    with pytest.raises(OwnerDied):
        third.claim(ticket(1), now=159)
    assert third.claim(ticket(2), now=160) is None


def test_what_was_before_the_boot_is_forgotten(new_table: NewTable) -> None:
    """Its clock was another one."""
    first = new_table(now=1000)
    first.claim(ticket(), now=1000)
    first.settle(ticket(), DONE, now=1000)
    first.close()
    assert new_table(now=10).claim(ticket(), now=10) is None


@pytest.mark.parametrize(
    ("outcome", "repeatable", "awaiting", "later"),
    [
        (DONE, False, DONE, DONE),
        (UNKNOWN, False, UNKNOWN, UNKNOWN),
        (REFUSED, False, REFUSED, None),
        (LATER, False, None, None),
        (LARGE, True, None, None),
    ],
)
def test_what_others_are_told(
    outcome: Outcome, repeatable: bool, awaiting: Any, later: Any, new_table: NewTable
) -> None:
    """Those who wait, and those who ask later; None: they do it themselves."""
    first, second = new_table(), new_table()
    first.claim(ticket(repeatable=repeatable), now=0)
    underway = second.claim(ticket(), now=0)
    assert isinstance(underway, Underway)
    first.settle(ticket(repeatable=repeatable), outcome, now=0)
    assert told(second.claim(ticket(1), now=0, awaited=underway)) == told(awaiting)
    if awaiting is not None:
        assert told(first.claim(ticket(2), now=0)) == told(later)


def test_a_large_result_is_not_handed_on(new_table: NewTable) -> None:
    """Who waited is told so, and does not do it a second time."""
    first, second = new_table(), new_table()
    first.claim(ticket(), now=0)
    underway = second.claim(ticket(), now=0)
    assert isinstance(underway, Underway)
    first.settle(ticket(), LARGE, now=0)
    found = second.claim(ticket(), now=0, awaited=underway)
    assert isinstance(found, Outcome)
    assert found.error is not None
    assert found.error.code == Code.BODY_TOO_LARGE


def test_nothing_is_remembered_for_no_time(new_table: NewTable) -> None:
    """Only those who waited are told, even what a dead worker has left."""
    first, second = new_table(remember_s=0), new_table(remember_s=0)
    first.claim(ticket(), now=0)
    underway = second.claim(ticket(), now=0)
    assert isinstance(underway, Underway)
    first.settle(ticket(), DONE, now=0)
    assert second.claim(ticket(), now=9, awaited=underway) == DONE
    assert second.claim(ticket(1), now=9) is None
    assert isinstance(underway := first.claim(ticket(2), now=9), Underway)
    die(second)
    assert first.claim(ticket(3), now=9) is None


def test_what_is_forgotten_at_once_waits_for_those_who_wait(new_table: NewTable) -> None:
    """Though the others have it from the file no more, and the worker that did it has died."""
    first, second, third = (new_table(remember_s=0) for _ in range(3))
    for number, key in enumerate(("done", "died")):
        first.claim(Ticket(Name(7, key), ASKED, number, False), now=0)
    first.settle(Ticket(Name(7, "done"), ASKED, 0, False), DONE, now=0)
    die(first)
    fourth = new_table(remember_s=0)
    settle_many(fourth, 1, DONE)
    fourth._tidy(PASSED_S - 1)
    done = second.claim(ticket_of("done"), now=1, awaited=Underway(first._owner, 0))
    assert done == DONE
    with pytest.raises(OwnerDied):
        third.claim(ticket_of("died"), now=1, awaited=Underway(first._owner, 1))


def ticket_of(key: str) -> Ticket:
    """A request with some key."""
    return Ticket(Name(7, key), ASKED, 9, False)


def test_a_claim_is_held_until_it_is_settled(new_table: NewTable) -> None:
    """By the one whose it is."""
    first, second = new_table(), new_table()
    first.claim(ticket(), now=0)
    second.claim(ticket(), now=0)
    assert first.holds(ticket())
    assert not second.holds(ticket())
    first.settle(ticket(), DONE, now=0)
    assert not first.holds(ticket())


@pytest.mark.parametrize("outcome", [DONE, LATER])
def test_a_job_that_was_taken_for_dead_settles_nobody_else_s(
    outcome: Outcome, new_table: NewTable
) -> None:
    """Its lock was lost, not itself; the key is under way elsewhere by now."""
    first, second = new_table(), new_table()
    first.claim(ticket(repeatable=True), now=0)
    first._file.owners.close()
    assert second.claim(ticket(1, repeatable=True), now=0) is None
    first.settle(ticket(repeatable=True), outcome, now=0)
    assert second._is_underway(NAME, Underway(second._owner, 1))


def settle_many(table: KeyTable, number: int, outcome: Outcome, uid: int = 7) -> None:
    """Have so many requests of a user come to one outcome, one each millisecond."""
    for count in range(number):
        one = Ticket(Name(uid, str(count)), ASKED, 100 * uid + count, False)
        table.claim(one, now=0.001 * count)
        table.settle(one, outcome, now=0.001 * count)


def known(table: KeyTable) -> list[tuple[int, bytes]]:
    """Whose keys are settled, oldest first."""
    statement = "SELECT uid, key FROM keys WHERE state > 0 ORDER BY uid, settled"
    return list(table._db.execute(statement))


def test_a_user_s_oldest_goes_first(new_table: NewTable, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too many of one user, at whatever workers, cost another nothing."""
    monkeypatch.setattr(key_table, "KEYS_MAX", 3)
    first, second = new_table(), new_table()
    settle_many(second, 1, DONE, uid=8)
    settle_many(first, 4, DONE)
    one = Ticket(Name(7, "last"), ASKED, 9, False)
    second.claim(one, now=1)
    second.settle(one, DONE, now=1)
    assert known(first) == [(7, b"2"), (7, b"3"), (7, b"last"), (8, b"0")]


def test_a_user_s_bytes_are_bounded(new_table: NewTable, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of what stands in the file, which the sums agree with."""
    monkeypatch.setattr(key_table, "BYTES_MAX", 2500)
    table = new_table()
    settle_many(table, 9, Outcome({"x": "y" * 1000}))
    assert known(table) == [(7, b"7"), (7, b"8")]
    assert table._db.execute("SELECT num, bytes FROM users").fetchall() == [(2, 2 * 1022)]


def test_what_is_over_goes_from_the_file(new_table: NewTable) -> None:
    """Without being asked for."""
    table = new_table(remember_s=60)
    table.claim(ticket(), now=0)
    table.settle(ticket(), REFUSED, now=0)
    settle_many(table, 1, DONE)
    assert len(known(table)) == 2
    settle_many(table, 1, DONE, uid=8)
    assert len(known(table)) == 3
    table._tidy(PASSED_S)
    assert known(table) == [(7, b"0"), (8, b"0")]
    table._tidy(60)
    assert known(table) == []
    assert table._db.execute("SELECT num, bytes FROM users").fetchall() == [(0, 0), (0, 0)]


def test_each_settling_tidies(new_table: NewTable) -> None:
    """Nothing else has to be done for that, but not twice in a moment."""
    table = new_table(remember_s=60)
    settle_many(table, 1, DONE)
    for number, now in ((1, 59.5), (2, 60.0), (3, 60.5)):
        one = Ticket(Name(7, str(number)), ASKED, number, False)
        table.claim(one, now=now)
        table.settle(one, DONE, now=now)
        assert ((7, b"0") in known(table)) == (now < 60.5)


def test_a_full_disk_keeps_what_was_to_be_settled(new_table: NewTable) -> None:
    """It is written as soon as there is room, and nothing is claimed before."""
    first, second = new_table(), new_table()
    first.claim(ticket(), now=0)
    first._db.execute("PRAGMA max_page_count = 1")
    result = Outcome({"Body": b"x" * 50_000})
    with pytest.raises(Exception, match="full"):
        first.settle(ticket(), result, now=0)
    with pytest.raises(Exception, match="full"):
        first.claim(Ticket(Name(7, "next"), ASKED, 1, False), now=0)
    assert isinstance(second.claim(ticket(), now=0), Underway)
    first._db.execute("PRAGMA max_page_count = 1000000")
    assert first.claim(Ticket(Name(7, "next"), ASKED, 2, False), now=0) is None
    assert second.claim(ticket(), now=0) == result


def test_what_is_unwritten_is_written_at_the_end(new_table: NewTable) -> None:
    """If there is room by then."""
    first, second = new_table(), new_table()
    first.claim(ticket(), now=0)
    first._db.execute("PRAGMA max_page_count = 1")
    result = Outcome({"Body": b"x" * 50_000})
    with pytest.raises(Exception, match="full"):
        first.settle(ticket(), result, now=0)
    first._db.execute("PRAGMA max_page_count = 1000000")
    first.close()
    assert second.claim(ticket(), now=0) == result


REMEMBER_S = 10.0
OUTCOMES = {"done": DONE, "unknown": UNKNOWN, "refused": REFUSED, "later": LATER}


class Workers(RuleBasedStateMachine):
    """Random requests at three workers that settle, die and start again, against a model.

    Requests with the key "once" must not be done twice; those with "safe" may.
    """

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(prefix="botod-")
        self.now = 0.0
        self.numbers = 0
        self.tables = [self.new_table() for _ in range(3)]
        self.underway: dict[Name, tuple[int, Ticket]] = {}
        self.known: dict[Name, tuple[bytes, Outcome | None, float]] = {}
        self.passed: dict[Underway, Outcome] = {}
        self.waiting: list[tuple[int, Ticket, Underway]] = []

    names = st.builds(Name, st.integers(0, 1), st.sampled_from(["once", "safe"]))
    workers = st.integers(0, 2)

    def new_table(self) -> KeyTable:
        """A worker that starts."""
        file = KeysFile(str(Path(self.folder.name) / "keys"))
        return KeyTable(file, remember_s=REMEMBER_S, now=self.now)

    def teardown(self) -> None:
        for table in self.tables:
            die(table)
        self.folder.cleanup()

    def claim(self, worker: int, one: Ticket, awaited: Underway | None) -> Any:
        """What the table says, in a form that can be compared."""
        try:
            return told(self.tables[worker].claim(one, now=self.now, awaited=awaited))
        except KeyTaken:
            return "taken"
        except OwnerDied:
            return "died"

    def expected(self, one: Ticket, awaited: Underway | None) -> Any:
        """What the model says."""
        if awaited in self.passed:
            return told(self.passed[awaited])
        if one.name in self.underway:
            owner, other = self.underway[one.name]
            found = Underway(self.tables[owner]._owner, other.number)
            return found if other.asked == one.asked else "taken"
        asked, outcome, at = self.known.get(one.name, (b"", None, -REMEMBER_S))
        if at + REMEMBER_S <= self.now:
            return None
        if asked != one.asked:
            return "taken"
        return "died" if outcome is None else told(outcome)

    def ask(self, worker: int, one: Ticket, awaited: Underway | None) -> None:
        """Claim, and compare."""
        expected = self.expected(one, awaited)
        found = self.claim(worker, one, awaited)
        assert found == expected
        if found is None:
            assert one.name not in self.underway, "done twice at once"
            self.underway[one.name] = (worker, one)
            self.passed = {
                key: outcome for key, outcome in self.passed.items() if key not in self.of(one.name)
            }
        elif isinstance(found, Underway):
            self.waiting.append((worker, one, found))

    def of(self, name: Name) -> set[Underway]:
        """What is waited for of one key."""
        return {awaited for _worker, one, awaited in self.waiting if one.name == name}

    @rule(worker=workers, name=names, asked=st.sampled_from([ASKED, OTHER]))
    def request(self, worker: int, name: Name, asked: bytes) -> None:
        """A request comes; one that is under way at its worker is joined there."""
        if name in self.underway and self.underway[name][0] == worker:
            return
        self.numbers += 1
        self.ask(worker, Ticket(name, asked, self.numbers, name.key == "safe"), None)

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def look(self, data: st.DataObject) -> None:
        """One who waits looks again."""
        index = data.draw(st.integers(0, len(self.waiting) - 1))
        worker, one, awaited = self.waiting.pop(index)
        if one.name in self.underway and self.underway[one.name][0] == worker:
            return
        self.ask(worker, one, awaited)

    @precondition(lambda self: self.underway)
    @rule(data=st.data(), kind=st.sampled_from(sorted(OUTCOMES)))
    def settle(self, data: st.DataObject, kind: str) -> None:
        """A job is done."""
        name = data.draw(st.sampled_from(sorted(self.underway)))
        worker, one = self.underway.pop(name)
        table = self.tables[worker]
        table.settle(one, OUTCOMES[kind], now=self.now)
        self.known.pop(name, None)
        if kind in ("done", "unknown"):
            self.known[name] = (one.asked, OUTCOMES[kind], self.now)
        if kind != "later":
            self.passed[Underway(table._owner, one.number)] = OUTCOMES[kind]

    @rule(worker=workers)
    def death(self, worker: int) -> None:
        """A worker is killed; another takes its place."""
        die(self.tables[worker])
        for name, (owner, one) in list(self.underway.items()):
            if owner == worker:
                del self.underway[name]
                self.known.pop(name, None)
                if name.key == "once":
                    self.known[name] = (one.asked, None, self.now)
        self.waiting = [wait for wait in self.waiting if wait[0] != worker]
        self.tables[worker] = self.new_table()

    @rule(seconds=st.sampled_from([0.5, 4.0]))
    def pass_time(self, seconds: float) -> None:
        """The clock goes on; who waits looks before what it waits for is forgotten."""
        self.now += seconds
        for worker, one, awaited in self.waiting[:]:
            self.waiting.remove((worker, one, awaited))
            if self.underway.get(one.name, (-1, one))[0] != worker:
                self.ask(worker, one, awaited)

    @invariant()
    def the_file_agrees(self) -> None:
        """What is under way stands there once, and the sums are those of the rows."""
        db = self.tables[0]._db
        rows = db.execute("SELECT uid, key FROM keys WHERE state = 0").fetchall()
        assert sorted(rows) == sorted((name.uid, name.key.encode()) for name in self.underway)
        sums = db.execute("SELECT uid, count(*), sum(size) FROM keys WHERE state > 0 GROUP BY uid")
        assert sums.fetchall() == db.execute("SELECT * FROM users WHERE num > 0").fetchall()


Workers.TestCase.settings = settings(max_examples=60, deadline=None)
TestWorkers = Workers.TestCase
