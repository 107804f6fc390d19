"""Descriptors that a request brought: each is closed once, when nobody uses it."""

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from botod.ipc.descriptor_queue import MAX_FDS, SURPLUS_FDS, DescriptorQueue
from botod.ipc.descriptors import Descriptor
from support.ipc import is_open, opened
from support.pools import descriptors_num


def test_it_is_closed_once() -> None:
    """Closing again is nothing, even when its number is somebody else's by then."""
    descriptor = Descriptor(opened())
    descriptor.close()
    assert not is_open(descriptor.fd)
    other = opened()
    assert other == descriptor.fd, "the kernel gives the lowest number that is free"
    descriptor.close()
    assert is_open(other)
    os.close(other)


def test_repr_shows_what_it_is() -> None:
    """In a debugger one sees the number, and whether it still counts."""
    descriptor = Descriptor(opened())
    assert repr(descriptor) == f"<Descriptor {descriptor.fd}>"
    descriptor.close()
    assert repr(descriptor) == f"<Descriptor {descriptor.fd} closed>"


def test_a_part_of_it_can_be_meant() -> None:
    """All of it, from where it stands, unless something else is said."""
    descriptor = Descriptor(-1)
    assert (descriptor.offset, descriptor.length) == (None, None)
    descriptor.part(5, None)
    assert (descriptor.offset, descriptor.length) == (5, None)
    whole = Descriptor(-1, offset=1, length=2)
    assert (whole.offset, whole.length) == (1, 2)


def test_it_stays_open_while_it_is_used() -> None:
    """A request may be over while a thread still reads; the last user closes it."""
    descriptor = Descriptor(opened())
    with descriptor.use() as outer:
        with descriptor.use() as inner:
            descriptor.close()
            assert inner == outer == descriptor.fd
            assert is_open(descriptor.fd)
        assert is_open(descriptor.fd)
    assert not is_open(descriptor.fd)


def test_it_is_not_used_once_it_is_closed() -> None:
    """Its number could be another file's: who comes late is told, and nothing is opened again."""
    descriptor = Descriptor(opened())
    with descriptor.use():
        descriptor.close()
        with pytest.raises(ValueError, match="closed"), descriptor.use():
            pass
    with pytest.raises(ValueError, match="closed"), descriptor.use():
        pass
    assert not is_open(descriptor.fd)


def test_using_it_leaves_it_open() -> None:
    """Use after use, as blocks are read; a failing user gives it back too."""
    descriptor = Descriptor(opened())
    for _ in range(2):
        with descriptor.use():
            pass
    with pytest.raises(ZeroDivisionError), descriptor.use():
        raise ZeroDivisionError
    assert is_open(descriptor.fd)
    descriptor.close()
    assert not is_open(descriptor.fd)


def test_a_thread_at_work_keeps_it_open() -> None:
    """Close returns at once; the file goes when the thread is done with it."""
    descriptor = Descriptor(opened())
    is_using, may_end = threading.Event(), threading.Event()

    def work() -> bool:
        with descriptor.use() as fd:
            is_using.set()
            may_end.wait()
            return is_open(fd)

    with ThreadPoolExecutor(1) as pool:
        was_open = pool.submit(work)
        is_using.wait()
        descriptor.close()
        assert is_open(descriptor.fd)
        may_end.set()
        assert was_open.result()
    assert not is_open(descriptor.fd)


def test_many_threads_close_it_once() -> None:
    """Whatever the order of users and closers, every user finds the file that was meant."""
    before = descriptors_num()
    read_end, write_end = os.pipe()
    os.close(write_end)
    inode = os.fstat(read_end).st_ino
    descriptor = Descriptor(read_end)
    begin = threading.Barrier(8)

    def use() -> bool:
        begin.wait()
        try:
            with descriptor.use() as fd:
                return os.fstat(fd).st_ino == inode
        except ValueError:
            return True

    def close() -> bool:
        begin.wait()
        descriptor.close()
        return True

    work: list[Callable[[], bool]] = [use, use, use, close] * 2
    with ThreadPoolExecutor(8) as pool:
        results = [pool.submit(one) for one in work]
        assert all(result.result() for result in results)
    assert descriptors_num() == before


# The queue


class Lives(RuleBasedStateMachine):
    """Descriptors come, are taken, used and closed in any order; each closes when it may."""

    def __init__(self) -> None:
        super().__init__()
        self.queue = DescriptorQueue()
        self.waiting: list[int] = []
        self.taken: list[Descriptor] = []
        self.users: list[tuple[Descriptor, object]] = []
        self.closed: set[Descriptor] = set()

    @precondition(lambda self: len(self.waiting) < SURPLUS_FDS)
    @rule(number=st.integers(1, 3))
    def come(self, number: int) -> None:
        """Some came with a read."""
        fds = [opened() for _ in range(number)]
        self.queue.add(fds)
        self.waiting += fds

    @rule(number=st.integers(0, MAX_FDS))
    def take(self, number: int) -> None:
        """A line declares some."""
        fds = self.queue.take(number)
        assert list(fds) == self.waiting[:number]
        self.waiting = self.waiting[number:]
        self.taken += map(Descriptor, fds)

    @precondition(lambda self: self.taken)
    @rule(data=st.data())
    def use(self, data: st.DataObject) -> None:
        """A thread begins to work with one."""
        descriptor = data.draw(st.sampled_from(self.taken))
        use = descriptor.use()
        if descriptor in self.closed:
            with pytest.raises(ValueError, match="closed"):
                use.__enter__()
            return
        assert use.__enter__() == descriptor.fd
        self.users.append((descriptor, use))

    @precondition(lambda self: self.users)
    @rule(data=st.data())
    def stop_using(self, data: st.DataObject) -> None:
        """A thread is done."""
        index = data.draw(st.integers(0, len(self.users) - 1))
        _descriptor, use = self.users.pop(index)
        use.__exit__(None, None, None)  # type: ignore[attr-defined]

    @precondition(lambda self: self.taken)
    @rule(data=st.data())
    def close(self, data: st.DataObject) -> None:
        """A request is over."""
        descriptor = data.draw(st.sampled_from(self.taken))
        descriptor.close()
        self.closed.add(descriptor)
        self._forget()

    @invariant()
    def open_is_what_may_still_be_used(self) -> None:
        """What waits, what is not closed, and what somebody uses; no other number."""
        self._forget()
        assert all(map(is_open, self.waiting))
        assert all(is_open(descriptor.fd) for descriptor in self.taken)

    def _forget(self) -> None:
        """What is closed and unused: its number may come again, with another file."""
        in_use = {descriptor for descriptor, _use in self.users}
        gone = [one for one in self.taken if one in self.closed and one not in in_use]
        kept = {one.fd for one in self.taken if one not in gone} | set(self.waiting)
        for descriptor in gone:
            assert descriptor.fd in kept or not is_open(descriptor.fd)
            self.taken.remove(descriptor)

    def teardown(self) -> None:
        for _descriptor, use in self.users:
            use.__exit__(None, None, None)  # type: ignore[attr-defined]
        for descriptor in self.taken:
            descriptor.close()
        self.queue.close()


TestLives = Lives.TestCase
