"""Both clients where a program forks, has threads, and its daemon is started again, all at once."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.ipc import STEP_TIMEOUT_S, Daemon
from support.stores import Store

THREADS = """
import os, sys, threading
from botod.ipc import OutcomeUnknown, connect

connection = connect(sys.argv[1], wait_s=30)
grew = threading.Condition()
done, failures, over = [0] * 4, [], threading.Event()

def ask(*what):
    said = [os.getpid(), *what]
    try:
        assert connection.call("s3.echo", {"N": said}) == {"N": said}
    except OutcomeUnknown:
        pass  # it was under way when the daemon went: it may have been done

def work(number):
    while not over.is_set() and not failures:
        try:
            ask(number, done[number])
        except BaseException as error:
            failures.append(repr(error))
        with grew:
            done[number] += 1
            grew.notify()

def fork():
    pid = os.fork()
    if pid:
        return pid
    try:
        for number in range(20):
            ask("child", number)
        thread = threading.Thread(target=ask, args=("thread of a child",))
        thread.start()
        thread.join()
        os._exit(7)
    finally:
        os._exit(8)

threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
for thread in threads:
    thread.start()
for _line in sys.stdin:
    children = [fork() for _ in range(3)]
    before = list(done)
    with grew:
        grew.wait_for(lambda: failures or all(now > then + 5 for now, then in zip(done, before)))
    for pid in children:
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
    print("went on", flush=True)
over.set()
for thread in threads:
    thread.join()
sys.exit("; ".join(failures) or 0)
"""

AIO = """
import asyncio, os, sys
from botod.ipc import OutcomeUnknown, aio

async def ask(connection, *what):
    try:
        answer = await connection.call("s3.echo", {"N": [os.getpid(), *what]})
        assert answer == {"N": [os.getpid(), *what]}
    except OutcomeUnknown:
        pass  # it was under way when the daemon went: it may have been done

async def child(connection):
    await asyncio.gather(*(ask(connection, "child", number) for number in range(20)))
    connection.close()

def fork(connection):
    pid = os.fork()
    if pid:
        return pid
    try:
        asyncio.run(child(connection))
        os._exit(7)
    finally:
        os._exit(8)

async def main():
    async with await aio.connect(sys.argv[1], wait_s=30) as connection:
        s3 = connection.client("s3")
        while await asyncio.to_thread(sys.stdin.readline):
            await s3.put_object(Key="k", Body=bytes(2_000_000))
            body = (await s3.get_object(Key="k"))["Body"]
            under_way = [asyncio.create_task(ask(connection, number)) for number in range(20)]
            await asyncio.sleep(0)
            children = [fork(connection) for _ in range(3)]
            await asyncio.gather(*under_way)
            for pid in children:
                status = (await asyncio.to_thread(os.waitpid, pid, 0))[1]
                assert os.waitstatus_to_exitcode(status) == 7
            assert await body.read() == bytes(2_000_000)
            print("went on", flush=True)

asyncio.run(main())
"""


@contextmanager
def running(script: str, path: Path) -> Iterator[subprocess.Popen[str]]:
    """A program that asks the daemon at `path`; it is killed if it is still there at the end."""
    with subprocess.Popen(
        [sys.executable, "-c", script, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as program:
        watchdog = threading.Timer(STEP_TIMEOUT_S, program.kill)
        watchdog.start()
        try:
            yield program
        finally:
            watchdog.cancel()
            program.kill()


@pytest.mark.parametrize("script", [THREADS, AIO], ids=["blocking", "asyncio"])
def test_threads_and_children_while_the_daemon_is_started_again(path: Path, script: str) -> None:
    """Each asks the new one on connections of its own; nobody gets another's answer."""
    with Daemon(path, Store()) as first, running(script, path) as program:
        went_on = [say_go(program)]
        first.stop()
        path.unlink()
        with Daemon(path, Store()):
            went_on += [say_go(program), say_go(program)]
            _out, errors = program.communicate(timeout=STEP_TIMEOUT_S)
    assert (went_on, program.returncode, errors) == (["went on\n"] * 3, 0, "")


def say_go(program: subprocess.Popen[str]) -> str:
    """Have it fork; what it says when all went on."""
    assert program.stdin is not None
    assert program.stdout is not None
    program.stdin.write("go\n")
    program.stdin.flush()
    return program.stdout.readline()


FORKS = """
import os, sys
from botod.ipc import connect

connection = connect(sys.argv[1])
s3 = connection.client("s3")
s3.put_object(Key="k", Body=bytes(2_000_000))
body = s3.get_object(Key="k")["Body"]
pids = []
for _ in range(3):
    pid = os.fork()
    if not pid:
        for number in range(20):
            assert s3.echo(N=(os.getpid(), number))["N"] == [os.getpid(), number]
        try:
            body.read()
        except RuntimeError:
            connection.close()
            os._exit(7)
    pids.append(pid)
for number in range(20):
    assert s3.echo(N=number)["N"] == number
for pid in pids:
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
assert body.read() == bytes(2_000_000)
assert s3.echo(N=1)["N"] == 1
"""


def test_children_connect_anew(path: Path) -> None:
    """After a fork all go on at once, and neither closes nor reads what is the other's."""
    with Daemon(path, Store()):
        done = subprocess.run(
            [sys.executable, "-c", FORKS, str(path)],
            timeout=STEP_TIMEOUT_S,
            check=False,
            capture_output=True,
            text=True,
        )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
