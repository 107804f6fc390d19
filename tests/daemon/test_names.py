"""What requests call themselves."""

import os
import pwd
import re

import pytest

from botod.daemon import names as names_module
from botod.daemon.names import LINES_MAX, Names
from botod.pool import spawn
from support.loops import run

import boto.connection

ME = pwd.getpwuid(os.geteuid()).pw_name


def test_the_daemon_boto_the_caller_and_what_the_profile_adds() -> None:
    """One line; a user without a name is there by number."""

    async def scenario() -> None:
        names = Names("1.2")
        start = f"botod/1.2 {boto.connection.UserAgent}"
        assert await spawn(names.user_agent, os.geteuid(), "") == f"{start} user/{ME}"
        found = await spawn(names.user_agent, 4_000_000_000, "shop/3 (x)")
        assert found == f"{start} user/4000000000 shop/3 (x)"

    run(scenario)


def test_a_name_cannot_end_the_header(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever stands in the directory of users."""
    monkeypatch.setattr(names_module, "user_name", lambda _uid: "J. Ü\r\nX-Evil: (1)")

    async def scenario() -> None:
        line = await spawn(Names("1").user_agent, 7, "")
        assert re.fullmatch(r".* user/J.----X-Evil---1-", line)

    run(scenario)


def test_each_user_is_looked_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until there are too many; in a thread, as some ask over the network."""
    asked: list[int] = []

    def look_up(uid: int) -> str:
        asked.append(uid)
        return f"u{uid}"

    monkeypatch.setattr(names_module, "user_name", look_up)

    async def scenario() -> None:
        names = Names("1")
        for uid in (1, 2, 1, 2):
            await spawn(names.user_agent, uid, "")
        assert asked == [1, 2]
        for uid in range(LINES_MAX):
            names._lines[uid, ""] = "x"
        await spawn(names.user_agent, LINES_MAX, "")
        assert len(names._lines) == 1

    run(scenario)
