"""A running daemon has what is new in its file, as a whole or not at all."""

import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from botod.daemon.config import Config
from botod.ipc import RpcError
from botod.ipc.errors import Code
from support.accounts import records_of
from support.daemons import Daemon, endpoints, running_daemon, wait_until

HAS_A_BUG = """
import sys
from botod.daemon.compiled_code import use_compiled_code
use_compiled_code()
from botod.daemon import building
from botod.daemon.cli import main

def told_limits(config, right=building.told_limits):
    if config.limits.peers == 7:
        raise ZeroDivisionError("a bug")
    return right(config)

building.told_limits = told_limits
sys.exit(main())
"""
"""A daemon that fails in the midst of a reload, when half of it is done."""


def config(tmp_path: Path, **limits: int) -> dict[str, Any]:
    """With an audit record."""
    return endpoints(1) | {"audit": {"path": str(tmp_path / "audit")}, "limits": limits}


def reload(daemon: Daemon) -> list[str]:
    """What changed by a reload that is asked for."""
    with daemon.connect() as connection:
        (told,) = connection.call("botod.reload")["workers"]
        changed: list[str] = told["changed"]
        return changed


def reloads_in(tmp_path: Path) -> list[tuple[str, list[str]]]:
    """How each ended that the record has, and what it changed."""
    records = records_of(tmp_path / "audit")
    return [(one["outcome"], one["changed"]) for one in records if one["event"] == "reload"]


def jobs_limit(daemon: Daemon) -> Any:
    """What holds."""
    with daemon.connect() as connection:
        (told,) = connection.call("botod.show", {"what": "limits"})["workers"]
        return {row["limit"]: row["value"] for row in told["rows"]}["jobs"]


def test_those_that_come_at_once_go_one_by_one(tmp_path: Path) -> None:
    """The first has what is new; each is answered and recorded, a signal's too."""
    with running_daemon(config(tmp_path)) as daemon, ThreadPoolExecutor(8) as threads:
        daemon.configure(config(tmp_path, jobs=60))
        daemon.signal(signal.SIGHUP)
        asked = list(threads.map(lambda _number: reload(daemon), range(16)))
        daemon.wait_for_line("reloaded; changed: [limits] jobs")
        wait_until(lambda: len(reloads_in(tmp_path)) == 17, daemon)
        changed = [what for _outcome, what in reloads_in(tmp_path)]
        assert changed == [["[limits] jobs"], *[[]] * 16]
        assert sum(map(bool, asked)) <= 1  # or the signal's was the first
        assert jobs_limit(daemon) == 60


def test_one_that_cannot_be_is_told_and_recorded(tmp_path: Path) -> None:
    """All stays as it was, and the next one that can be is had."""
    refused = "not reloaded, all stays as it was"
    with running_daemon(config(tmp_path), expected=(refused, "a visit of")) as daemon:
        before = jobs_limit(daemon)
        assert before == Config().limits.jobs
        daemon.configure(config(tmp_path, jobs=0, peers=7))
        with pytest.raises(RpcError, match=refused) as caught:
            reload(daemon)
        assert caught.value.code == Code.INVALID_PARAMS
        assert jobs_limit(daemon) == before
        daemon.signal(signal.SIGHUP)
        wait_until(lambda: len(reloads_in(tmp_path)) == 2, daemon)
        daemon.configure(config(tmp_path, peers=7))
        assert reload(daemon) == ["[limits] peers"]
        wait_until(lambda: len(reloads_in(tmp_path)) == 3, daemon)
        assert [outcome for outcome, _what in reloads_in(tmp_path)] == ["error", "error", "ok"]


def test_one_that_fails_by_a_bug_is_not_the_last(tmp_path: Path) -> None:
    """The log has its traceback, all is as it was, and the next signal is heeded."""
    failed = "not reloaded, all stays as it was"
    loud = (failed, "Traceback", "ZeroDivisionError", "keys of profile 'other'", "a visit of")
    command = ("-c", HAS_A_BUG, "run")
    with running_daemon(config(tmp_path), command=command, expected=loud) as daemon:
        wrong = config(tmp_path, peers=7)
        wrong["profile"]["other"] = wrong["profile"]["default"]
        daemon.configure(wrong)
        daemon.signal(signal.SIGHUP)
        daemon.wait_for_line("ZeroDivisionError: a bug")
        wait_until(lambda: reloads_in(tmp_path) == [("error", [])], daemon)
        with daemon.connect() as connection:
            (told,) = connection.call("botod.show", {"what": "profiles"})["workers"]
        assert [row["profile"] for row in told["rows"]] == ["default"]
        daemon.configure(config(tmp_path, jobs=60))
        daemon.signal(signal.SIGHUP)
        daemon.wait_for_line("reloaded; changed: [limits] jobs")
        assert jobs_limit(daemon) == 60
