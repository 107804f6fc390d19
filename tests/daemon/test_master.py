"""The master of workers that do nothing but what a test has them do.

Each test has a master in a process of its own, as it handles signals and forks; what whole daemons
do is in tests/e2e/test_workers.py.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.activator import until
from support.daemons import BOUND_S, short_folder

MASTER = """
import logging, os, signal, sys, time
from pathlib import Path
from botod.daemon import child, master
from botod.daemon.config import Config, ConfigError
from botod.daemon.master import Master
from botod.daemon.notify import notifier
from botod.daemon.settings import DaemonSettings

logging.basicConfig(level="INFO", format="%(message)s")
child.FIRST_PAUSE_S = 0.01
child.STUCK_S = master.STUCK_S = 1.0
master.TICK_S = 0.05
signs = Path(sys.argv[1])

def read_config():
    words = (signs / "config").read_text() if (signs / "config").exists() else ""
    if words:
        raise (RuntimeError if words == "a bug" else ConfigError)(words)
    return Config(daemon=DaemonSettings(workers=2, drain_timeout_s=0, job_timeout_s=7))

mother = os.getpid()

def beat(notifier, until=lambda: False):
    while not until() and os.getppid() == mother:
        notifier.alive()
        time.sleep(0.02)

def note(name, *words):
    with (signs / name).open("a") as file:
        file.write(" ".join(map(str, words)) + "\\n")

{work}

config = Config(daemon=DaemonSettings(workers=2, drain_timeout_s=0))
one = Master(config, work=work, read_config=read_config, notifier=notifier(), extra_stop_s=2)
status = one.run()
print("restart" if one.wants_restart else "ended", flush=True)
sys.exit(status)
"""

SERVES = """
def work(config, share, notifier):
    stop = []
    signal.signal(signal.SIGTERM, lambda *_: stop.append(1))
    signal.signal(signal.SIGHUP, lambda *_: (notifier.reloading(), notifier.ready()))
    signal.signal(signal.SIGUSR2, lambda *_: note("usr2", share.number))
    note("born", share.number, os.getpid(), config.daemon.job_timeout_s)
    notifier.ready()
    beat(notifier, lambda: stop)
    return 0
"""


class Master:
    """One that runs. said: to systemd, so far."""

    def __init__(self, folder: Path, work: str) -> None:
        self.folder = folder
        self.said: list[str] = []
        self._systemd = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._systemd.bind(str(folder / "notify"))
        self.process = subprocess.Popen(
            [sys.executable, "-c", MASTER.replace("{work}", work), str(folder)],
            env=os.environ | {"NOTIFY_SOCKET": str(folder / "notify"), "WATCHDOG_USEC": "300000"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def born(self) -> list[list[str]]:
        """Number, pid and a setting of each worker that has begun."""
        path = self.folder / "born"
        return [line.split() for line in path.read_text().splitlines()] if path.exists() else []

    def wait_for(self, word: str, times: int = 1) -> None:
        """Wait until it has told systemd so, so often."""
        until(lambda: self.said.count(word) >= times)

    def end(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        """Signal it; its status and its log."""
        self.process.send_signal(number)
        return self.ended()

    def ended(self) -> tuple[int, str]:
        """Wait for its end; its status, its last word and its log."""
        out, log = self.process.communicate(timeout=BOUND_S)
        return self.process.returncode, out + log

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.sendto(b"", str(self.folder / "notify"))
        self._listener.join(BOUND_S)
        self._systemd.close()

    def _listen(self) -> None:
        while words := self._systemd.recv(4096):
            self.said += words.decode().splitlines()


@contextlib.contextmanager
def master(work: str = SERVES) -> Iterator[Master]:
    """One over workers that do `work`."""
    with short_folder() as folder:
        one = Master(folder, work)
        try:
            yield one
        finally:
            one.close()


def test_workers_begin_and_end() -> None:
    """Ready once all are; alive while their loops turn; stopping; status 0."""
    with master() as one:
        one.wait_for("READY=1")
        one.wait_for("STATUS=2 of 2 workers serve")
        one.wait_for("WATCHDOG=1", times=3)
        assert sorted(number for number, *_rest in one.born()) == ["0", "1"]
        status, out = one.end()
        assert (status, "ended" in out) == (0, True)
        one.wait_for("STOPPING=1")


def test_one_that_dies_is_replaced() -> None:
    """In its place; the log has its status."""
    with master() as one:
        one.wait_for("READY=1")
        number, pid, _setting = one.born()[0]
        os.kill(int(pid), signal.SIGKILL)
        until(lambda: len(one.born()) == 3)
        assert one.born()[2][0] == number
        status, out = one.end()
        assert status == 0
        assert f"worker {number}, pid {pid}, ended with -9; the next one comes in" in out


def test_one_that_dies_young_again_and_again() -> None:
    """The pauses grow: each is twice as long as the last."""
    dies = "    if share.number: beat(notifier, (signs / 'go').exists); os._exit(3)\n"
    with master(SERVES.replace("    beat(notifier", f"{dies}    beat(notifier", 1)) as one:
        one.wait_for("READY=1")  # one that dies before has the master end
        (one.folder / "go").touch()
        until(lambda: len(one.born()) >= 6)
        _status, out = one.end()
        pauses = [line.rpartition(" in ")[2] for line in out.splitlines() if "ended with 3" in line]
        assert pauses[:4] == ["0.0 s", "0.0 s", "0.0 s", "0.1 s"]


@pytest.mark.parametrize("status", [78, 1])
def test_one_that_cannot_begin(status: int) -> None:
    """Before all were ready once: the master ends with its status, and takes the others along."""
    begin = f"    if share.number: return {status}\n    beat(notifier)\n"
    work = f"def work(config, share, notifier):\n{begin}"
    with master(work) as one:
        assert one.ended()[0] == status
        assert "READY=1" not in one.said


def test_a_bug_in_a_worker_stays_there() -> None:
    """Nothing of the master runs in it."""
    with master("def work(config, share, notifier):\n    raise KeyError('bug')\n") as one:
        status, out = one.ended()
        assert status == 1
        assert "failed" in out
        assert "KeyError: 'bug'" in out
        assert out.count("ended\n") == 1


def test_one_that_is_stuck() -> None:
    """It is aborted, and killed if that does nothing; meanwhile systemd hears nothing good."""
    work = SERVES.replace(
        "    note(", "    signal.signal(signal.SIGABRT, signal.SIG_IGN)\n    note("
    )
    work = work.replace("lambda: stop", "lambda: stop or (signs / str(os.getpid())).exists()")
    work = work.replace(
        "    return 0",
        "    while not stop and os.getppid() == mother: time.sleep(0.01)\n    return 0",
    )
    with master(work) as one:
        one.wait_for("READY=1")
        _number, pid, _setting = one.born()[0]
        (one.folder / pid).touch()
        until(lambda: len(one.born()) == 3)
        status, out = one.end()
        assert status == 0
        assert f"pid {pid}, is stuck: it is ended" in out
        assert f"pid {pid}, ended with -9" in out


def test_a_machine_that_stood_still() -> None:
    """Nobody is stuck for it: neither the master nor its workers ran."""
    with master() as one:
        one.wait_for("STATUS=2 of 2 workers serve")
        everybody = [one.process.pid, *(int(pid) for _number, pid, _rest in one.born())]
        for pid in everybody:
            os.kill(pid, signal.SIGSTOP)
        time.sleep(1.5)  # there is no other way for them to miss more than STUCK_S
        beats = one.said.count("WATCHDOG=1")
        for pid in everybody:
            os.kill(pid, signal.SIGCONT)
        one.wait_for("WATCHDOG=1", times=beats + 3)
        status, out = one.end()
        assert (status, "is stuck" in out) == (0, False)
        assert len(one.born()) == 2


def test_a_reload_is_everybody_s() -> None:
    """Ready again once all have said so; who comes later has the new configuration."""
    with master() as one:
        one.wait_for("READY=1")
        one.process.send_signal(signal.SIGHUP)
        one.wait_for("READY=1", times=2)
        assert one.said.index("RELOADING=1") < len(one.said) - one.said[::-1].index("READY=1")
        os.kill(int(one.born()[0][1]), signal.SIGKILL)
        until(lambda: len(one.born()) == 3)
        assert [setting for _number, _pid, setting in one.born()] == ["60.0", "60.0", "7"]


def test_a_reload_that_a_worker_was_asked_for() -> None:
    """The master has it for who comes later."""
    asks = "    if share.number: notifier.say(master.REREAD)\n    notifier.ready()"
    with master(SERVES.replace("    notifier.ready()", asks)) as one:
        one.wait_for("READY=1")
        os.kill(int(one.born()[0][1]), signal.SIGKILL)
        until(lambda: len(one.born()) == 3)
        assert [setting for _number, _pid, setting in one.born()] == ["60.0", "60.0", "7"]


def test_a_reload_is_theirs_too_who_are_starting() -> None:
    """They ignore the signal, and are sent it as soon as they are ready; systemd hears once."""
    starts = """
    signal.signal(signal.SIGUSR2, lambda *_: note("usr2", share.number))
    note("begun", share.number)
    beat(notifier, (signs / "go").exists)
    signal.signal(signal.SIGHUP, lambda *_: (note("hup", share.number), reload()))

    def reload():
        notifier.reloading()
        notifier.ready()

    stop = []
"""
    work = SERVES.replace("    stop = []\n", starts)
    work = work.replace(
        "    signal.signal(signal.SIGHUP, lambda *_: (notifier.reloading(), notifier.ready()))\n",
        "",
    )

    def noted(name: str) -> bool:
        path = one.folder / name
        return path.exists() and sorted(path.read_text().split()) == ["0", "1"]

    with master(work) as one:
        until(lambda: noted("begun"))
        one.process.send_signal(signal.SIGHUP)
        one.wait_for("RELOADING=1")
        one.process.send_signal(signal.SIGUSR2)
        until(lambda: noted("usr2"))  # so the one before has been passed on, and was ignored
        assert "READY=1" not in one.said
        (one.folder / "go").touch()
        until(lambda: noted("hup"))
        one.wait_for("READY=1")
        assert one.end()[0] == 0
        assert one.said.count("READY=1") == 1


def test_files_are_opened_anew_by_those_too_who_are_starting() -> None:
    """They opened them under the old name, and ignored the signal."""
    starts = """
    note("begun", share.number)
    beat(notifier, (signs / "go").exists)
    signal.signal(signal.SIGUSR1, lambda *_: note("usr1", share.number))
    stop = []
"""
    work = SERVES.replace("    stop = []\n", starts)

    def noted(name: str) -> bool:
        path = one.folder / name
        return path.exists() and sorted(path.read_text().split()) == ["0", "1"]

    with master(work) as one:
        until(lambda: noted("begun"))
        one.process.send_signal(signal.SIGUSR1)
        one.process.send_signal(signal.SIGHUP)  # what tells that the one before has been heeded
        one.wait_for("RELOADING=1")
        (one.folder / "go").touch()
        until(lambda: noted("usr1"))
        assert one.end()[0] == 0


def test_a_bad_configuration_is_refused() -> None:
    """No worker hears of it."""
    with master() as one:
        one.wait_for("READY=1")
        (one.folder / "config").write_text("[limits] jobs = 0: wrong")
        one.process.send_signal(signal.SIGHUP)
        one.wait_for("READY=1", times=2)
        os.kill(int(one.born()[0][1]), signal.SIGKILL)
        until(lambda: len(one.born()) == 3)
        assert one.born()[2][2] == "60.0"
        assert "not reloaded, all stays as it was: [limits] jobs = 0: wrong" in one.end()[1]


def test_a_bug_in_a_reload_ends_nobody() -> None:
    """It is logged with its traceback, and the next reload is made."""
    with master() as one:
        one.wait_for("READY=1")
        (one.folder / "config").write_text("a bug")
        one.process.send_signal(signal.SIGHUP)
        one.wait_for("READY=1", times=2)
        (one.folder / "config").unlink()
        one.process.send_signal(signal.SIGHUP)
        one.wait_for("READY=1", times=3)
        os.kill(int(one.born()[0][1]), signal.SIGKILL)
        until(lambda: len(one.born()) == 3)
        assert one.born()[2][2] == "7"
        log = one.end()[1]
        assert "not reloaded, all stays as it was\nTraceback" in log
        assert "RuntimeError: a bug" in log


def test_other_signals_are_passed_on() -> None:
    """To all workers."""
    with master() as one:
        one.wait_for("READY=1")
        one.process.send_signal(signal.SIGUSR2)
        noted = one.folder / "usr2"
        until(lambda: noted.exists() and sorted(noted.read_text().split()) == ["0", "1"])
        assert one.end()[0] == 0


def test_a_second_signal_ends_all_at_once() -> None:
    """Also workers that do not care; status 1."""
    work = SERVES.replace("lambda *_: stop.append(1)", "lambda *_: note('term', 1)")
    with master(work) as one:
        one.wait_for("READY=1")
        one.process.send_signal(signal.SIGTERM)
        until((one.folder / "term").exists)
        status, out = one.end()
        assert status == 1
        assert "second signal: ending at once" in out


def test_workers_that_a_terminal_ends_as_they_start() -> None:
    """They had nothing to finish."""
    work = (
        "def work(config, share, notifier):\n    note('born', 0, os.getpid())\n    beat(notifier)"
    )
    with master(work) as one:
        until(lambda: len(one.born()) == 2)
        one.process.send_signal(signal.SIGSTOP)  # whatever comes first, it sees all at once
        one.process.send_signal(signal.SIGINT)
        for _number, pid in one.born():
            os.kill(int(pid), signal.SIGINT)
        assert one.end(signal.SIGCONT)[0] == 0


def test_while_it_drains_it_sleeps() -> None:
    """One worker has ended, another one works on: the master wakes for nothing but news."""
    counted = """
master.TICK_S = 60.0

def listen(self, wait=Master._listen):
    note("turns", 1)
    wait(self)

Master._listen = listen
"""
    drains = """
    others = [line.split()[1] for line in (signs / "born").read_text().splitlines()]
    while share.number and not all(gone(int(pid)) for pid in others if int(pid) != os.getpid()):
        time.sleep(0.01)
    until = time.process_time() + 0.3
    while share.number and time.process_time() < until:
        pass
    return 0

def gone(pid):
    return not Path(f"/proc/{pid}").exists()
"""
    work = SERVES.replace("beat(notifier, lambda: stop)", "while not stop: time.sleep(0.01)")
    with master(counted + work.replace("    return 0\n", drains)) as one:
        one.wait_for("READY=1")
        assert one.end()[0] == 0
        assert len((one.folder / "turns").read_text().splitlines()) < 30


def test_a_signal_to_a_worker_just_forked_is_its_own() -> None:
    """It has the master's handlers still, and none of what it is sent comes back to the master."""
    forks = """
heard = []
master._note = lambda number, _frame: heard.append(number)

def forked(fork=os.fork):
    if pid := fork():
        return pid
    note("born", 0, os.getpid())
    while not heard and not signal.sigpending():
        time.sleep(0.01)
    return 0

os.fork = forked
"""
    with master(forks + SERVES) as one:
        until(lambda: len(one.born()) == 2)
        status, out = one.end()
        assert (status, "second signal" in out) == (0, False)


def test_workers_that_do_not_end() -> None:
    """After the drain and some more they are killed."""
    work = SERVES.replace("lambda *_: stop.append(1)", "signal.SIG_IGN")
    with master(work) as one:
        one.wait_for("READY=1")
        assert one.end()[0] == 9


def test_a_worker_asks_for_a_restart() -> None:
    """The master ends its work, and leaves the workers to find that they are alone."""
    work = SERVES.replace(
        "    beat(notifier", "    if share.number: notifier.say(master.RESTART)\n    beat(notifier"
    )
    with master(work) as one:
        until(lambda: len(one.born()) == 2)
        out = one.process.stdout
        assert out is not None
        assert out.readline() == "restart\n"
        for _number, pid, _setting in one.born():
            os.kill(int(pid), signal.SIGTERM)


def test_a_restart_is_none_once_it_stops() -> None:
    """Who asked for it did so before it knew."""
    asks = """
    import array, fcntl, termios
    notifier.say(master.RESTART)
    left = array.array("i", [1])
    while left[0]:  # until the master has read it
        fcntl.ioctl(notifier._sock, termios.TIOCOUTQ, left)
    return 0
"""
    with master(SERVES.replace("    return 0\n", asks)) as one:
        one.wait_for("READY=1")
        status, out = one.end()
        assert (status, out.splitlines()[0]) == (0, "ended")


def test_a_restart_of_the_turn_in_which_it_stops() -> None:
    """The word was there before the signal, and was not acted on yet."""
    asks = "lambda *_: (notifier.say(master.RESTART), note('usr2', share.number))"
    work = SERVES.replace('lambda *_: note("usr2", share.number)', asks)
    work = work.replace("beat(notifier, lambda: stop)", "while not stop: time.sleep(0.01)")
    with master(work) as one:
        one.wait_for("READY=1")
        one.process.send_signal(signal.SIGSTOP)
        os.kill(int(one.born()[0][1]), signal.SIGUSR2)
        until((one.folder / "usr2").exists)
        one.process.send_signal(signal.SIGTERM)
        status, out = one.end(signal.SIGCONT)
        assert (status, out.splitlines()[0]) == (0, "ended")
