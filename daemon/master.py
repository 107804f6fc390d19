"""The master of N workers: forks them, replaces those that die or get stuck, and passes signals on.

It imports everything before it forks, so that the workers share that memory, and makes nothing
that does not survive a fork: no loop, no curl, no thread. It owns the listening socket. A worker
talks to it as it would to systemd (`notify`), over a socket whose end says that it is alone.
"""

import contextlib
import logging
import math
import os
import selectors
import signal
import socket
import time
from collections.abc import Callable, Iterator

from botod.daemon.child import ABORT_TIMEOUT_S, STUCK_S, Child, State
from botod.daemon.config import Config, ConfigError
from botod.daemon.logs import Logs
from botod.daemon.notify import BEATS_A_TIMEOUT, REREAD, Notifier
from botod.daemon.reloading import effective, needs_restart
from botod.daemon.share import Share

logger = logging.getLogger(__name__)

TICK_S = 1.0
"""How often clocks are looked at."""

MESSAGE_BYTES = 4096

RESTART = "BOTOD_RESTART=1"
"""A worker's message: somebody asked it for a restart of the daemon."""

PASSED_ON = (signal.SIGUSR1, signal.SIGUSR2)
LATER = (signal.SIGHUP, *PASSED_ON)
"""They would end a process that does not handle them yet, so it ignores them until it does."""
STOPS = (signal.SIGTERM, signal.SIGINT)
HEARD = (*STOPS, signal.SIGCHLD, *LATER)
EARLY = (0, *(-number for number in STOPS))
"""How a worker ends that is told to: of a signal before it handled any, with nothing to finish."""

Work = Callable[[Config, Share, Notifier], int]
"""What a worker does from its fork on; its exit status."""


class Master:
    """The workers of one daemon.

    work: what each of them does. read_config: gives the configuration of the file, or raises
    ConfigError. extra_stop_s: for workers to end, after their drain. logs: of this process.
    wants_restart: the daemon is to begin anew.
    """

    def __init__(
        self,
        config: Config,
        *,
        work: Work,
        read_config: Callable[[], Config],
        notifier: Notifier,
        extra_stop_s: float,
        logs: Logs | None = None,
    ) -> None:
        self.wants_restart = False
        self._config = config
        self._work = work
        self._read_config = read_config
        self._notifier = notifier
        self._extra_stop_s = extra_stop_s
        self._logs = logs
        self._children = [Child(number) for number in range(config.daemon.workers)]
        self._status = 0
        self._was_ready = False
        self._stops_at: float | None = None
        self._reloading: set[int] = set()
        self._config_number = 0
        self._fed_at = 0.0
        self._looked_at = math.inf

    def run(self) -> int:
        """Serve until told to stop, or to begin anew; the exit status.

        A restart leaves the workers alone: they see that the master is gone, and drain.
        """
        self._signals, writer = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._signals, selectors.EVENT_READ)
        self._own = (self._signals, writer)
        for sock in self._own:
            sock.setblocking(False)
        signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        for number in HEARD:
            signal.signal(number, _note)
        try:
            while self._goes_on():
                self._look_after(time.monotonic())
                self._listen()
        finally:
            self._let_go()
        return self._status

    def _let_go(self) -> None:
        """Of what a master has beside its workers."""
        signal.set_wakeup_fd(-1)
        for number in HEARD:
            signal.signal(number, signal.SIG_IGN if number in LATER else signal.SIG_DFL)
        self._selector.close()
        for sock in self._own:
            sock.close()

    def _goes_on(self) -> bool:
        if self.wants_restart:
            return False
        return self._stops_at is None or any(child.is_alive for child in self._children)

    def _listen(self) -> None:
        """Wait for a signal or a worker's word, or for the next look at the clocks."""
        for key, _events in self._selector.select(self._pause_s()):
            if isinstance(key.data, Child):
                self._hear(key.data)
            else:
                self._heed()
        if self.wants_restart:  # a signal that came before the word may not have been seen yet
            with contextlib.suppress(BlockingIOError):
                self._heed()

    def _pause_s(self) -> float:
        if self._stops_at is not None:
            return TICK_S  # nobody comes in the place of who has ended
        now = time.monotonic()
        due = [child.since + child.pause_s - now for child in self._children if not child.is_alive]
        return max(0.0, min([TICK_S, *due]))

    def _heed(self) -> None:
        """Do what signals ask for."""
        for number in self._signals.recv(MESSAGE_BYTES):
            if number in STOPS:
                self._stop(time.monotonic())
            elif number == signal.SIGHUP:
                self._reload()
            elif number in PASSED_ON:
                self._pass_on(number)
                if number == signal.SIGUSR1:
                    self._reopen()
        self._reap()

    def _reopen(self) -> None:
        """Let go of files that were renamed; workers that begin ignored the signal till now."""
        if self._logs is not None:
            self._logs.reopen()
        for child in self._children:
            child.is_to_reopen = child.state is State.STARTING

    def _hear(self, child: Child) -> None:
        assert child.sock is not None, "a worker is heard over its socket"
        try:
            words = child.sock.recv(MESSAGE_BYTES).decode().splitlines()
        except OSError:
            words = []
        if not words:  # it has ended, and is reaped with its signal
            self._selector.unregister(child.sock)
            child.sock.close()
            child.sock = None
            return
        now = child.heard_at = time.monotonic()
        if words[0] == "READY=1":
            self._is_ready(child, now)
        elif words[0] == RESTART and self._stops_at is None:
            self.wants_restart = True
        elif words[0] == REREAD:
            self._reread()

    def _is_ready(self, child: Child, now: float) -> None:
        is_new = child.state is State.STARTING
        if is_new:
            logger.info("worker %d is ready, pid %d", child.number, child.pid)
            child.become(State.READY, now)
            if child.is_to_reopen:
                child.kill(signal.SIGUSR1)
        if is_new and child.config_number != self._config_number:  # it ignored SIGHUP till now
            child.config_number = self._config_number
            child.kill(signal.SIGHUP)
        else:
            self._reloading.discard(child.number)
        if not self._was_ready and all(one.serves for one in self._children):
            self._was_ready = True
        if self._was_ready and not self._reloading:
            self._notifier.ready()
        self._tell_status()

    def _look_after(self, now: float) -> None:
        """Do what is due: begin workers, end stuck ones, tell whoever watches us."""
        self._make_up_for(now - self._looked_at - TICK_S, now)
        self._looked_at = now
        for child in self._children:
            if child.state is State.AWAITED:
                if self._stops_at is None and now >= child.since + child.pause_s:
                    self._begin(child, now)
            elif child.state is State.ABORTED:
                if now >= child.since + ABORT_TIMEOUT_S:
                    child.kill(signal.SIGKILL)
            elif child.is_stuck(now):
                logger.error("worker %d, pid %d, is stuck: it is ended", child.number, child.pid)
                child.become(State.ABORTED, now)
                child.kill(signal.SIGABRT)
        if self._stops_at is not None and now >= self._stops_at:
            for child in self._living():
                child.kill(signal.SIGKILL)
        self._feed(now)

    def _make_up_for(self, missed_s: float, now: float) -> None:
        """Give workers the time in which nobody listened: their machine may have stood still."""
        if missed_s > TICK_S:
            for child in self._children:
                child.was_not_heard(missed_s, now)

    def _feed(self, now: float) -> None:
        """Tell the watchdog that every worker's loop answers, while it does."""
        watchdog_s = self._notifier.watchdog_s
        if not watchdog_s or now < self._fed_at + watchdog_s / BEATS_A_TIMEOUT:
            return
        if all(now - child.heard_at <= STUCK_S for child in self._children if child.serves):
            self._fed_at = now
            self._notifier.alive()

    def _tell_status(self) -> None:
        serving = sum(child.serves for child in self._children)
        self._notifier.status(f"{serving} of {len(self._children)} workers serve")

    def _begin(self, child: Child, now: float) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        # Until the child lets go of it, what it is sent would come to us by our wakeup descriptor.
        signal.pthread_sigmask(signal.SIG_BLOCK, HEARD)
        try:
            pid = os.fork()
            if not pid:
                self._be(child.number, ours, theirs)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, HEARD)
        theirs.close()
        child.is_born(pid, ours, now)
        child.config_number = self._config_number
        self._selector.register(ours, selectors.EVENT_READ, child)

    def _be(self, number: int, ours: socket.socket, theirs: socket.socket) -> None:
        """What the new process does: let go of what is the master's, work, and end."""
        status = 1
        try:
            self._let_go()
            signal.pthread_sigmask(signal.SIG_UNBLOCK, HEARD)
            for sock in (ours, *(child.sock for child in self._children)):
                if sock is not None:
                    sock.close()
            self._notifier.close()
            notifier = Notifier(theirs, watchdog_s=STUCK_S / 2)
            status = self._work(self._config, Share(number, len(self._children)), notifier)
        except BaseException:  # the process's border: nothing of the master may run here
            logger.exception("worker %d failed", number)
        finally:
            logging.shutdown()
            os._exit(status)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            for child in self._children:
                if child.pid == pid and child.is_alive:
                    self._ended(child, os.waitstatus_to_exitcode(status), time.monotonic())

    def _ended(self, child: Child, status: int, now: float) -> None:
        was_ready = child.state is not State.STARTING
        child.has_ended(now)
        self._reloading.discard(child.number)
        if self._stops_at is not None:
            if status not in EARLY:
                self._status = self._status or abs(status)
            return
        if not was_ready and not self._was_ready:
            self._status = abs(status) or 1
            self._stop(now)
            return
        logger.error(
            "worker %d, pid %d, ended with %d; the next one comes in %.1f s",
            child.number, child.pid, status, child.pause_s,
        )  # fmt: skip
        self._tell_status()

    def _stop(self, now: float) -> None:
        if self._stops_at is not None:
            logger.warning("second signal: ending at once")
            self._status = 1
            for child in self._living():
                child.kill(signal.SIGKILL)
            return
        self.wants_restart = False  # of the same turn; to stop is more
        self._stops_at = now + self._config.daemon.drain_timeout_s + self._extra_stop_s
        self._notifier.stopping()
        for child in self._living():
            child.become(State.STOPPING, now)
            child.kill(signal.SIGTERM)

    def _reload(self) -> None:
        """Have all workers reload, if the file is one to be had."""
        self._notifier.reloading()
        if not self._reread():
            self._notifier.ready()
            return
        self._reloading = {child.number for child in self._children if child.is_to_reload}
        self._pass_on(signal.SIGHUP)
        if not self._reloading:
            self._notifier.ready()

    def _reread(self) -> bool:
        """Have the configuration of the file for workers that come from now on, if it is good."""
        try:
            config = self._read_config()
        except ConfigError as error:
            logger.error("not reloaded, all stays as it was: %s", error)  # noqa: TRY400
            self._have_recorded(str(error))
            return False
        except Exception as error:  # a bug; it would be the end of all workers
            logger.exception("not reloaded, all stays as it was")
            self._have_recorded(str(error) or repr(error))
            return False
        late = needs_restart(self._config, config)
        if late:
            logger.warning("these settings need a restart: %s", ", ".join(late))
        self._config = effective(self._config, config)
        if self._logs is not None:
            self._logs.reload(self._config)
        self._config_number += 1
        return True

    def _have_recorded(self, why: str) -> None:
        """Have a worker put it into the audit record; the master keeps none."""
        for child in self._children:
            if child.serves:
                child.tell(why)
                return

    def _pass_on(self, number: int) -> None:
        for child in self._living():
            child.kill(number)

    def _living(self) -> Iterator[Child]:
        return (child for child in self._children if child.is_alive)


def _note(_number: int, _frame: object) -> None:
    """Python's handler; the wakeup descriptor has the number."""
