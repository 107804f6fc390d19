"""`botod run`: what keeps it from starting, in a line a mistake and with a status that says so."""

import asyncio
import dataclasses
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from botod.daemon.commands import run
from botod.daemon.settings import PoolSettings
from support.daemons import BOUND_S, clean_environ, running_daemon, short_folder, start, wait_until

WITHOUT_STREAMS = """
import os, sys
os.closerange(0, 3)
os.execv(sys.executable, [sys.executable, "-m", "botod.daemon.cli", "run", *sys.argv[1:]])
"""

POOL = [setting.name for setting in dataclasses.fields(PoolSettings)]


def botod_run(folder: Path, *words: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    """Run the command until it ends."""
    return subprocess.run(
        [sys.executable, "-m", "botod.daemon.cli", "run", *words],
        env=clean_environ(folder, **environ),
        capture_output=True,
        check=False,
        text=True,
        timeout=BOUND_S,
        cwd=folder,
    )


def test_mistakes_in_the_configuration(tmp_path: Path) -> None:
    """Status 78, on which supervisors do not start it again; all mistakes, a line each."""
    file = tmp_path / "botod.toml"
    file.write_text('[limits]\npeers = 0\n[pool]\nslots = 1\n[daemon]\nlog_level = "loud"\n')
    done = botod_run(tmp_path, "--config", str(file))
    assert (done.returncode, done.stdout) == (78, "")
    assert done.stderr.splitlines() == [
        f"{file}: [daemon] log_level = 'loud': has to be one of debug, info, warning, error",
        f"{file}: [limits] peers = 0: has to be from 1 to 100000",
        f"{file}: [pool] slots: unknown setting; there are: {', '.join(POOL)}",
    ]


def test_a_configuration_that_is_not_there(tmp_path: Path) -> None:
    """Status 78 and the file's name."""
    done = botod_run(tmp_path, "--config", "missing.toml")
    assert (done.returncode, done.stderr) == (78, "missing.toml: No such file or directory\n")


def test_a_broken_credentials_file(tmp_path: Path) -> None:
    """The daemon runs, and says which file it is; no traceback, and nothing of the secret."""
    file = tmp_path / "keys"
    file.write_text("[default]\naws_secret_access_key hidden\n")
    environ = {**os.environ, "AWS_SHARED_CREDENTIALS_FILE": str(file), "HOME": str(tmp_path)}
    words = f"keys of profile 'default': Unable to parse config file: {file}"
    with running_daemon({}, environ, expected=(words,)) as daemon:
        daemon.wait_for_line(words)
        assert daemon.stop() == 0
        assert not any("hidden" in line for line in daemon.lines)


def test_a_socket_in_use() -> None:
    """Status 1 and one line; the daemon that has it goes on."""
    with running_daemon({}) as daemon:
        done = botod_run(daemon.folder, BOTOD_SOCKET=daemon.socket_path)
        assert done.returncode == 1
        assert done.stderr == f"botod: {daemon.socket_path}: a daemon answers there already\n"
        with daemon.connect() as connection:
            assert connection.call("botod.ping")["pid"] == daemon.process.pid


def test_a_socket_that_cannot_be() -> None:
    """Status 1 and one line."""
    with short_folder() as folder:
        path = str(folder / ("x" * 120))
        done = botod_run(folder, BOTOD_SOCKET=path)
    assert done.returncode == 1
    assert done.stderr == f"botod: {path}: cannot listen there: AF_UNIX path too long\n"


def test_the_log_level_holds() -> None:
    """At `error` a whole life says nothing."""
    with running_daemon({"daemon": {"log_level": "error"}}) as daemon:
        with daemon.connect() as connection:
            connection.call("botod.ping")
        assert daemon.stop() == 0
    assert daemon.lines == []


def test_without_a_file_all_settings_are_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    """No file is looked for."""
    seen = []

    async def serve(config: run.Config, *_rest: object, **_more: object) -> run.Ending:
        await asyncio.sleep(0)
        seen.append(config)
        return run.Ending.STOPPED

    monkeypatch.setattr(run, "_serve", serve)
    monkeypatch.setattr(run.logging, "basicConfig", lambda **_options: None)
    monkeypatch.setattr(run.signal, "signal", lambda *_args: None)
    monkeypatch.setattr(run.faulthandler, "enable", lambda: None)
    with short_folder() as folder:
        monkeypatch.setenv("BOTOD_SOCKET", str(folder / "botod.sock"))
        assert run.main([]) == 0
    assert seen == [run.Config()]


def test_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    """Status 2, from the command's own parser."""
    with pytest.raises(SystemExit) as caught:
        run.main(["--confg", "x"])
    assert caught.value.code == 2
    assert "usage: botod run" in capsys.readouterr().err


def test_a_reload_before_the_start_is_no_end() -> None:
    """Nor after it was asked to begin anew: such signals are ignored until they are handled."""
    ignored = {signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2}
    code = (
        "import signal, sys\n"
        "from botod.daemon.commands import run\n"
        "run.listening = lambda *_: print([s.value for s in signal.Signals "
        "if signal.getsignal(s) is signal.SIG_IGN]) or sys.exit(0)\n"
        "run.main([])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=BOUND_S
    )
    assert {int(number) for number in ignored} <= set(json.loads(done.stdout))


def test_a_worker_that_is_told_nonsense() -> None:
    """Status 78, and what it has to be."""
    with short_folder() as folder:
        done = botod_run(folder, BOTOD_WORKER="2/2", BOTOD_SOCKET=str(folder / "x"))
    assert done.returncode == 78
    assert done.stderr.startswith("BOTOD_WORKER='2/2': has to be K/N")


def test_lines_of_a_worker_have_its_number() -> None:
    """So that those of several can be told apart in one log."""
    environ = {"BOTOD_WORKER": "0/1"}
    with short_folder() as folder:
        daemon = start({}, folder, clean_environ(folder, **environ))
        daemon.wait_for_line("INFO worker 0 botod.daemon.service: listening on")
        daemon.wait_for_line("metrics are served on")  # the last of its sockets
        assert sorted(path.name for path in folder.glob("*.sock")) == [
            "admin.sock", "botod.sock", "worker-0.sock",
        ]  # fmt: skip
        daemon.wait_for_line("listening on")
        assert daemon.stop() == 0
        assert not list(folder.glob("*.sock"))
        daemon.close()


UNDER_A_LIMIT = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (256, 5000))
words = [sys.executable, "-m", "botod.daemon.cli", "run", *sys.argv[1:]]
os.execv(sys.executable, words)
"""


def test_as_many_descriptors_as_may_be_had() -> None:
    """A shell's 1,024 are not enough for as many peers as there may be by default."""
    with short_folder() as folder:
        daemon = start(
            {},
            folder,
            clean_environ(folder),
            command=("-c", UNDER_A_LIMIT),
        )
        daemon.wait_for_line("listening on")
        limits = Path(f"/proc/{daemon.process.pid}/limits").read_text(encoding="ascii")
        (line,) = (line for line in limits.splitlines() if line.startswith("Max open files"))
        assert line.split()[3:5] == ["5000", "5000"]
        assert daemon.stop() == 0


def test_without_standard_streams(tmp_path: Path) -> None:
    """It runs, its file has the log, and no socket or file of its own is taken for them."""
    file = tmp_path / "log"
    config = {"log": {"file": str(file)}}
    with running_daemon(config, command=("-c", WITHOUT_STREAMS)) as daemon:
        opened = Path(f"/proc/{daemon.process.pid}/fd")
        assert {(opened / str(number)).readlink() for number in range(3)} == {Path(os.devnull)}
        wait_until(lambda: "listening on" in file.read_text(), daemon)
        assert daemon.stop() == 0


def test_a_mistake_without_standard_streams(tmp_path: Path) -> None:
    """Nobody can be told, but by the status."""
    command = [sys.executable, "-c", WITHOUT_STREAMS, "--config", "missing.toml"]
    environ = clean_environ(tmp_path)
    assert subprocess.run(command, env=environ, check=False, timeout=BOUND_S).returncode == 78
