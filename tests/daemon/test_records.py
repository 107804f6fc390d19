"""What a worker keeps of what it does, as the configuration says."""

from dataclasses import replace
from pathlib import Path

import pytest

from botod.daemon import records
from botod.daemon.config import Config, ConfigError
from botod.daemon.records import Records, make_audit
from botod.daemon.settings import AuditSettings, LogSettings
from botod.daemon.share import Share
from support.accounts import records_of
from support.loops import run


def config(path: str, on_failure: str = "refuse", *, resources: bool = True) -> Config:
    """With an audit record there."""
    log = LogSettings(resources=resources)
    return replace(Config(), audit=AuditSettings(path=path, on_failure=on_failure), log=log)


def test_without_a_path_there_is_no_record() -> None:
    """Nor a trace of each request."""
    assert make_audit(Config(), Share()) is None
    assert Records(Config(), Share(), None).tracing is None


def test_a_worker_of_several_says_which_it_is(tmp_path: Path) -> None:
    """From the first record to the last, which are those of its process."""
    path = tmp_path / "audit"

    async def scenario() -> None:
        one = Records(config(str(path)), Share(1, 2), None)
        assert one.tracing is not None
        await one.close()

    run(scenario)
    assert [(each["event"], each["worker"]) for each in records_of(path)] == [
        ("started", 1),
        ("stopped", 1),
    ]


def test_a_reload_changes_what_it_can(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Whether names are shown, and what happens when nothing can be written."""

    async def scenario() -> None:
        one = Records(config("/dev/full"), Share(), None)
        one.reload(config(str(tmp_path / "other"), "continue", resources=False))
        assert not one.ledger.log.shows_resources
        one.reopen()
        await one.close()

    run(scenario)
    assert not (tmp_path / "other").exists()
    told = [record.getMessage() for record in caplog.records]
    assert told == [
        "SIGUSR1: files are opened anew",
        "the last records of the audit could not be written",
    ]
    caplog.clear()


@pytest.mark.parametrize("path", ["/none/audit", "journald"])
def test_what_cannot_be_opened_is_a_mistake(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is named by its setting."""

    def nowhere(identifier: str) -> None:
        raise FileNotFoundError(2, "No such file or directory", identifier)

    monkeypatch.setattr(records, "JournalSink", nowhere)
    with pytest.raises(ConfigError, match=rf"\[audit\] path = '{path}': No such file"):
        make_audit(config(path), Share())
