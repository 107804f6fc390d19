"""The log of a process, set up and changed."""

import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from botod.daemon import repeats
from botod.daemon.config import Config, ConfigError
from botod.daemon.log_format import Templates
from botod.daemon.logs import Logs
from botod.daemon.settings import LogSettings
from support.loops import run, until


@pytest.fixture(autouse=True)
def root_as_it_was() -> Iterator[None]:
    """The root logger is everybody's."""
    root = logging.getLogger()
    handlers, level, raises = root.handlers[:], root.level, logging.raiseExceptions
    root.handlers = []
    yield
    for handler in root.handlers:
        handler.close()
    root.handlers, logging.raiseExceptions = handlers, raises
    root.setLevel(level)


def config(path: Path, **changes: Any) -> Config:
    """With a log there."""
    return replace(Config(), log=LogSettings(file=str(path), **changes))


def ended(logs: Logs, path: Path) -> list[str]:
    """Its lines, once all are written."""
    assert logs.writer.close()
    return path.read_text().splitlines()


def test_levels_of_modules_hold_until_another_reload(tmp_path: Path) -> None:
    """What the modules below one log, too; boto's stay silent."""
    path = tmp_path / "log"
    logs = Logs(config(path, levels={"botod.x": "debug", "botod.x.z": "error"}), worker=None)
    logging.getLogger("botod.x.y").debug("one")
    logging.getLogger("botod.x.z").warning("two")
    logging.getLogger("botod.other").debug("three")
    logging.getLogger("boto").error("a secret")
    logs.reload(config(path))
    logging.getLogger("botod.x.y").debug("four")
    logging.getLogger("botod.x.z").warning("five")
    assert [line.rpartition(" ")[2] for line in ended(logs, path)] == ["one", "five"]


def test_a_line_that_is_made_goes_the_same_way(tmp_path: Path) -> None:
    """With the head of the form that holds, and the worker's number."""
    path = tmp_path / "log"
    logs = Logs(config(path, format="json"), worker=3)
    for form in ("json", "text"):
        logs.tell("botod.jobs", Templates(form, "job").fill({"uid": 7}))
        logs.reload(config(path))
    first, second = ended(logs, path)
    parsed = json.loads(first)
    assert parsed.pop("time")[10] == "T"
    assert parsed == {
        "level": "info",
        "worker": 3,
        "logger": "botod.jobs",
        "event": "job",
        "uid": 7,
    }
    assert second[10] == "T"
    assert second.endswith("Z INFO worker 3 botod.jobs: job uid=7")


def test_repeats_are_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the loop, though nothing more is said; the words stand without what was put into them."""
    monkeypatch.setattr(repeats, "WINDOW_S", 2.0)
    path = tmp_path / "log"

    async def scenario() -> None:
        logs = Logs(config(path, repeats=2), worker=None)
        for number in range(1236):
            logging.getLogger("botod.x").warning("host %d rests", number)
        await until(lambda: "repeated" in path.read_text())
        lines = ended(logs, path)
        words = [line.partition("botod.x: ")[2] for line in lines]
        assert words == ["host 0 rests", "host 1 rests", "repeated 1,234 times: host %d rests"]

    run(scenario)


def test_what_was_left_out_is_told_at_the_end(tmp_path: Path) -> None:
    """As the process ends before its window."""
    path = tmp_path / "log"
    logs = Logs(config(path, repeats=1), worker=None, has_threads=False)
    for _ in range(3):
        logging.getLogger("botod.x").warning("again")
    logging.getLogger().handlers[0].close()
    assert path.read_text().endswith("botod.x: repeated 2 times: again\n")
    assert isinstance(logs, Logs)


def test_a_line_that_cannot_be_made_hurts_nobody(tmp_path: Path) -> None:
    """What is known of it is told."""
    path = tmp_path / "log"
    logs = Logs(config(path), worker=None)
    logging.getLogger("botod.x").warning("%d jobs", "many")
    (line,) = ended(logs, path)
    assert line.endswith("WARNING botod.x: a line without its arguments: '%d jobs'")


def test_a_file_that_cannot_be_opened(tmp_path: Path) -> None:
    """Is a mistake in the configuration."""
    with pytest.raises(ConfigError, match=r"\[log\] file = .*: No such file or directory"):
        Logs(config(tmp_path / "none" / "log"), worker=None)
