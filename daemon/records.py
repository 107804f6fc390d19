"""What one worker keeps of what it does: log, audit record, and the ledger that tells both."""

import asyncio
import logging

from botod.daemon.audit import ROOM_BYTES, Audit, lost_line
from botod.daemon.config import Config, ConfigError
from botod.daemon.job_line import JobLog
from botod.daemon.ledger import Ledger
from botod.daemon.line_sinks import FileSink, JournalSink
from botod.daemon.line_writer import LineWriter
from botod.daemon.logs import Logs
from botod.daemon.setting_checks import JOURNALD
from botod.daemon.share import Share
from botod.pool.traces import Tracing

logger = logging.getLogger(__name__)

MODE = 0o600
IDENTIFIER = "botod-audit"


class Records:
    """The log, the audit record and the ledger of one worker.

    logs: of this process; None: somebody else sees to the log. ledger: what the worker tells.
    """

    def __init__(self, config: Config, share: Share, logs: Logs | None) -> None:
        """Open the audit record. Needs the running loop. Raises ConfigError."""
        self._logs = logs
        self._audit = make_audit(config, share)
        log = JobLog(logs, shows_resources=config.log.resources)
        self.ledger = Ledger(log=log, audit=self._audit)

    @property
    def tracing(self) -> Tracing | None:
        """For the pool, so that there is an account of each of its requests."""
        return None if self._audit is None else self._audit.tracing

    def reload(self, config: Config) -> None:
        """Have what of another configuration holds at once; files stay."""
        self.ledger.log.shows_resources = config.log.resources
        if self._logs is not None:
            self._logs.reload(config)
        if self._audit is not None:
            self._audit.refuses = config.audit.on_failure == "refuse"

    def reopen(self) -> None:
        """Go on in the files that have the names now: those before were renamed."""
        logger.info("SIGUSR1: files are opened anew")
        if self._logs is not None:
            self._logs.reopen()
        if self._audit is not None:
            self._audit.reopen()

    async def close(self) -> None:
        """Write the rest of the audit record; what cannot be written for two seconds is lost."""
        if self._audit is None:
            return
        self._audit.finish()
        if not await asyncio.to_thread(self._audit.close):
            logger.error("the last records of the audit could not be written")


def make_audit(config: Config, share: Share) -> Audit | None:
    """The audit record, if there is to be one. Raises ConfigError if it cannot be opened."""
    path = config.audit.path
    if not path:
        return None
    try:
        sink = JournalSink(IDENTIFIER) if path == JOURNALD else FileSink(path, MODE)
    except OSError as error:
        raise ConfigError(f"[audit] path = {path!r}: {error.strerror}") from None
    writer = LineWriter(sink, room_bytes=ROOM_BYTES, lost=lost_line, name="audit")
    refuses = config.audit.on_failure == "refuse"
    return Audit(writer, refuses=refuses, worker=share.number if share.has_control else None)
