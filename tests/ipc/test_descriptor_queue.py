"""Descriptors that came, until a line declares them."""

import os

import pytest

from botod.ipc.descriptor_queue import MAX_FDS, SURPLUS_FDS, DescriptorQueue
from botod.ipc.errors import Code, ProtocolError
from support.ipc import is_open, opened
from support.pools import descriptors_num


def test_they_are_taken_in_the_order_in_which_they_came() -> None:
    """As many as asked for, or all that there are."""
    queue = DescriptorQueue()
    queue.add([3, 4])
    queue.add([5])
    assert len(queue) == 3
    assert queue.take(0) == ()
    assert queue.take(2) == (3, 4)
    assert queue.take(2) == (5,)
    assert queue.take(1) == ()
    assert len(queue) == 0


def test_no_more_lie_there_than_may() -> None:
    """One more than the surplus and a line's own is a fault; those that came are kept to close."""
    queue = DescriptorQueue()
    most = SURPLUS_FDS + MAX_FDS
    before = descriptors_num()
    queue.add(opened() for _ in range(most))
    with pytest.raises(ProtocolError, match=str(SURPLUS_FDS)) as fault:
        queue.add([opened()])
    assert fault.value.code == Code.INVALID_REQUEST
    assert len(queue) == most + 1
    queue.close()
    assert descriptors_num() == before


def test_the_queue_closes_what_nobody_took() -> None:
    """What was taken is somebody else's; closing again is nothing."""
    queue = DescriptorQueue()
    fds = [opened() for _ in range(3)]
    queue.add(fds)
    assert queue.take(1) == (fds[0],)
    queue.close()
    queue.close()
    assert [is_open(fd) for fd in fds] == [True, False, False]
    assert len(queue) == 0
    os.close(fds[0])
