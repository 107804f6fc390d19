"""Who sends: the kernel's word for it, with each message."""

import asyncio
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from botod.ipc.errors import Code
from botod.ipc.exchange import Sender
from botod.ipc.protocol import Request
from support.ipc import STEP_TIMEOUT_S, Calls, request, run, scripted, serving, until

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")

OTHER_ID = 12345


def whoami(_request: Request, sender: Sender) -> list[int]:
    """Answers with who asked."""
    return [sender.pid, sender.uid, sender.gid]


async def run_child(code: str, *arguments: object) -> str:
    """Run Python code in a process of its own while the loop goes on; what it prints."""

    def run_it() -> str:
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", code, *map(str, arguments)],
            stdout=subprocess.PIPE,
            timeout=STEP_TIMEOUT_S,
            check=True,
            text=True,
        )
        return done.stdout

    return await asyncio.to_thread(run_it)


ASK = """
import os, socket, sys
sock = socket.socket(socket.AF_UNIX)
sock.connect(sys.argv[1])
ask = b'{"jsonrpc":"2.0","id":1,"method":"m"}\\n'
"""


def test_the_sender_is_who_the_kernel_says(path: Path) -> None:
    """Process, user and group are the child's own, without its saying so."""
    child = ASK + "sock.send(ask); print(os.getpid(), os.getuid(), os.getgid(), sock.recv(999))"

    async def scenario() -> None:
        async with serving(path, scripted(whoami)) as host:
            printed = await run_child(child, host.path)
            pid, uid, gid = printed.split()[:3]
            assert int(pid) != os.getpid()
            assert f'"result":[{pid},{uid},{gid}]' in printed

    run(scenario())


def test_bytes_sent_before_they_are_accepted_have_a_sender(path: Path) -> None:
    """A child that connects, sends and exits before the server looks is named all the same."""
    child = ASK + "sock.send(ask.replace(b'\"id\":1,', b'')); print(os.getpid())"

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            done = subprocess.run(  # noqa: ASYNC221 - the loop has to stand still meanwhile
                [sys.executable, "-I", "-S", "-c", child, str(host.path)],
                stdout=subprocess.PIPE,
                check=True,
                timeout=STEP_TIMEOUT_S,
            )
            call = await handler.next()
            assert call.sender.pid == int(done.stdout)
            assert call.sender.uid == os.getuid()
            call.answer(None)

    run(scenario())


def test_each_connection_has_a_number(path: Path) -> None:
    """A handler can tell two connections of one process apart."""

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            ids = []
            for _ in range(2):
                peer = await host.connect()
                for _ in range(2):
                    await peer.send(request(1))
                    call = await handler.next()
                    ids.append(call.sender.connection_id)
                    call.answer(None)
            assert ids == [1, 1, 2, 2]

    run(scenario())


def test_a_forked_child_sends_as_itself(path: Path) -> None:
    """Parent and child may use one connection in turn; each request has its own sender."""
    child = ASK + (
        "sock.send(ask); sock.recv(999)\n"
        "if not (pid := os.fork()):\n"
        "    sock.send(ask); print(os.getpid(), sock.recv(999), flush=True); os._exit(0)\n"
        "assert os.waitpid(pid, 0)[1] == 0\n"
    )

    async def scenario() -> None:
        async with serving(path, scripted(whoami)) as host:
            printed = await run_child(child, host.path)
            assert f'"result":[{printed.split()[0]},' in printed

    run(scenario())


DROP = f"os.setgroups([]); os.setresgid(*[{OTHER_ID}] * 3); os.setresuid(*[{OTHER_ID}] * 3)\n"


@needs_root
def test_who_dropped_roots_rights_is_not_root(path: Path) -> None:
    """Root that connects, forks and drops its rights is seen as what it is when it sends."""
    child = ASK + (
        "if not (pid := os.fork()):\n"
        f"    {DROP}"
        "    sock.send(ask); print(os.getpid(), sock.recv(999), flush=True); os._exit(0)\n"
        "assert os.waitpid(pid, 0)[1] == 0\n"
    )

    async def scenario() -> None:
        async with serving(path, scripted(whoami)) as host:
            printed = await run_child(child, host.path)
            assert f'"result":[{printed.split()[0]},{OTHER_ID},{OTHER_ID}]' in printed

    run(scenario())


@needs_root
def test_another_user_on_one_connection_is_hung_up_on(path: Path) -> None:
    """Nobody goes on under the name of who sent first; what was begun is answered."""
    child = ASK + (
        "sock.send(ask); first = sock.recv(999)\n" + DROP + "sock.send(ask)\n"
        "print(first, sock.recv(999), sock.recv(999))\n"
    )

    async def scenario() -> None:
        async with serving(path, scripted(whoami)) as host:
            printed = await run_child(child, host.path)
            assert '"result":' in printed
            assert f'"code":{int(Code.ACCESS_DENIED)}' in printed
            assert printed.count('"result":') == 1
            assert printed.rstrip().endswith("b''")
            await host.empty()

    run(scenario())


@needs_root
def test_a_request_in_two_hands_is_not_begun(path: Path) -> None:
    """A line that one user begins and another one ends is nobody's."""
    child = ASK + ("sock.send(ask[:9])\n" + DROP + "sock.send(ask[9:]); print(sock.recv(999))\n")

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            printed = await run_child(child, host.path)
            assert f'"code":{int(Code.ACCESS_DENIED)}' in printed
            assert handler.waiting_num == 0

    run(scenario())


@needs_root
def test_a_group_that_changes_is_seen(path: Path) -> None:
    """A process that gives up its group is no longer taken for a member of it."""
    child = ASK + (
        "sock.send(ask); sock.recv(999)\n"
        f"os.setresgid(*[{OTHER_ID}] * 3)\n"
        "sock.send(ask); print(sock.recv(999))\n"
    )

    async def scenario() -> None:
        async with serving(path, scripted(whoami)) as host:
            assert f",0,{OTHER_ID}]" in await run_child(child, host.path)

    run(scenario())


def test_bytes_that_nobody_sent_are_refused(path: Path) -> None:
    """Where the kernel does not name the sender nothing is done."""

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer = await host.connect()
            await until(lambda: len(host.server._connections) == 1)
            (connection,) = host.server._connections.values()
            connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 0)
            await peer.send(request(1))
            assert (await peer.answer()).code == Code.ACCESS_DENIED
            assert await peer.rest() == b""
            assert handler.waiting_num == 0

    run(scenario())


@needs_root
def test_groups_come_with_the_sender(path: Path) -> None:
    """Those of who connected; once it has become another they are in doubt."""
    child = ASK.replace("sock.connect", f"os.setgroups([{OTHER_ID}]); sock.connect")
    rest = "{}sock.send(ask); print(sock.recv(999))\n"

    def groups(_request: Request, sender: Sender) -> list[list[int]]:
        return [sorted(sender.groups), sorted(sender.doubtful_groups)]

    async def scenario() -> None:
        async with serving(path, scripted(groups)) as host:
            same = await run_child(child + rest.format(""), host.path)
            assert f'"result":[[{OTHER_ID}],[]]' in same
            dropped = await run_child(child + rest.format(DROP), host.path)
            assert f'"result":[[],[{OTHER_ID}]]' in dropped

    run(scenario())
