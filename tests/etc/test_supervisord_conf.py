"""etc/supervisord.conf starts the daemon under a real supervisord."""

import subprocess
import threading
from pathlib import Path

from botod.ipc import DaemonUnavailable, connect
from support.daemons import KEYS, short_folder
from support.tools import environ, tool

CONFIG = str(Path(__file__).parents[2] / "etc" / "supervisord.conf")
BOUND_S = 60.0


def call_until_it_answers(path: str, method: str) -> dict[str, int]:
    """The daemon's answer, as soon as there is a daemon."""
    pause = threading.Event()  # nobody sets it: its wait is a sleep with a bound
    for _ in range(int(BOUND_S / 0.05)):
        try:
            with connect(path) as connection:
                answer: dict[str, int] = connection.call(method)
        except DaemonUnavailable:
            pause.wait(0.05)
        else:
            return answer
    raise AssertionError("no daemon answers")


def test_supervisord_starts_the_daemon_and_stops_it() -> None:
    """From the file as it is: started, killed and started again, stopped with its socket gone."""
    with short_folder() as folder:
        env = environ(BOTOD_RUNTIME_DIR=str(folder), **KEYS)
        path = str(folder / "botod.sock")
        supervisord = subprocess.Popen(
            [tool("supervisord"), "-c", CONFIG], env=env, stdout=subprocess.PIPE, text=True
        )
        try:
            first = call_until_it_answers(path, "botod.ping")["pid"]
            control = [tool("supervisorctl"), "-c", CONFIG]
            subprocess.run([*control, "signal", "KILL", "botod"], env=env, check=True)
            second = call_until_it_answers(path, "botod.ping")["pid"]
            assert second != first
            subprocess.run([*control, "stop", "botod"], env=env, check=True)
            assert not Path(path).exists()
            subprocess.run([*control, "shutdown"], env=env, check=True)
            output, _none = supervisord.communicate(timeout=BOUND_S)
        finally:
            if supervisord.poll() is None:
                supervisord.kill()
                supervisord.communicate()
        assert supervisord.returncode == 0
        assert "stopped: botod (exit status 0)" in output
        assert "stopping: 0 jobs are running" in (folder / "botod.log").read_text()
