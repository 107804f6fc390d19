"""Where this process logs to, and what of it: set up once, changed by a reload."""

import asyncio
import contextlib
import logging
import time

from botod.daemon.config import Config, ConfigError
from botod.daemon.line_sinks import FileSink
from botod.daemon.line_writer import DirectWriter, LineWriter
from botod.daemon.log_format import LineFormatter, head, iso_time
from botod.daemon.repeats import Repeats, Said

ROOM_BYTES = 4 * 1024 * 1024
"""Of lines that wait to be written: 15,000 of them, more than a second's at the highest rate."""

STDERR = 2

SILENT = ("boto", "botocore", "urllib3")
"""They log whole answers, and what signs requests."""

MODE = 0o640


class Logs:
    """The log of this process. form: of its lines.

    config: whose `[log]` it is. worker: of several, which one; None: there are no others, or it is
    their master. has_threads: False: it is to fork, so that it writes at once, what can be.
    """

    def __init__(self, config: Config, *, worker: int | None, has_threads: bool = True) -> None:
        """Log there from now on. Raises ConfigError if that file cannot be written."""
        path = config.log.file
        try:
            sink = FileSink(path or STDERR, MODE)
        except OSError as error:
            raise ConfigError(f"[log] file = {path!r}: {error.strerror}") from None
        self._worker = worker
        self.form = config.log.format
        self.writer: LineWriter | DirectWriter = (
            LineWriter(sink, room_bytes=ROOM_BYTES, lost=self._lost, name="log")
            if has_threads
            else DirectWriter(sink, None if path else STDERR, lost=self._lost)
        )
        self._handler = LogHandler(self)
        self._levelled: tuple[str, ...] = ()
        logging.raiseExceptions = False  # it would write to standard error, whatever that is
        logging.basicConfig(handlers=[self._handler], force=True)
        for name in SILENT:
            logging.getLogger(name).setLevel(logging.CRITICAL)
        self.reload(config)

    def reload(self, config: Config) -> None:
        """Have the levels and the form of another configuration; the file stays."""
        self.form = config.log.format
        self._handler.setFormatter(LineFormatter(self.form, self._worker))
        self._handler.repeats.most = config.log.repeats
        logging.getLogger().setLevel(config.daemon.log_level.upper())
        for name in self._levelled:
            logging.getLogger(name).setLevel(logging.NOTSET)
        for name, level in config.log.levels.items():
            logging.getLogger(name).setLevel(level.upper())
        self._levelled = tuple(config.log.levels)

    def reopen(self) -> None:
        """Go on in the file that has the name now: the one before was renamed."""
        self.writer.reopen()

    def put(self, line: str) -> None:
        """Have a line written."""
        self.writer.put(f"{line}\n".encode("utf-8", "backslashreplace"))

    def tell(self, logger: str, words: str) -> None:
        """Have a line of level info written, whose words are made already, as `form` has them.

        It passes by the loggers: their levels, and what counts repeats.
        """
        self.put(head(self.form, "info", self._worker, logger) % iso_time(time.time()) + words)

    def _lost(self, number: int, why: str) -> bytes:
        words = f"{number:,} lines of this log are lost: {why}"
        return f"{self._handler.line(__name__, logging.WARNING, words)}\n".encode()


class LogHandler(logging.Handler):
    """Records of the standard library's loggers, on their way to the log."""

    def __init__(self, logs: Logs) -> None:
        super().__init__()
        self.repeats = Repeats(0, self._tell_repeats)
        self._logs = logs
        self._timer: asyncio.TimerHandle | None = None

    def emit(self, record: logging.LogRecord) -> None:
        said = Said(record.name, record.levelno, str(record.msg))
        if self.repeats.is_told(said, now=time.monotonic()):
            self._logs.put(self._line(record))
        elif self._timer is None:
            self._arm()

    def line(self, logger: str, level: int, words: str) -> str:
        """What a line of these words looks like."""
        return self.format(logging.LogRecord(logger, level, "", 0, words, None, None))

    def close(self) -> None:
        """Called by logging.shutdown, at the end of the process."""
        self.repeats.end_windows(now=float("inf"))
        self._logs.writer.close()
        super().close()

    def _line(self, record: logging.LogRecord) -> str:
        """One named border: words and arguments that do not go together hurt nobody else."""
        try:
            return self.format(record)
        except Exception:  # noqa: BLE001
            words = f"a line without its arguments: {record.msg!r}"
            return self.line(record.name, record.levelno, words)

    def _arm(self) -> None:
        """Have a loop, where one runs, tell what was left out; else it waits for the next line."""
        with contextlib.suppress(RuntimeError):
            loop = asyncio.get_running_loop()
            pause_s = self.repeats.next_end - time.monotonic()
            self._timer = loop.call_later(pause_s, self._on_time)

    def _on_time(self) -> None:
        self._timer = None
        with self.lock or contextlib.nullcontext():
            self.repeats.end_windows(now=time.monotonic())
            if self.repeats.next_end < float("inf"):
                self._arm()

    def _tell_repeats(self, said: Said, number: int) -> None:
        words = f"repeated {number:,} times: {said.words}"
        self._logs.put(self.line(said.logger, said.level, words))
