"""`botod run`: the daemon in the foreground, for supervisor, systemd or a terminal."""

import argparse
import faulthandler
import logging
import os
import resource
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from botod.daemon import collector, loop
from botod.daemon.compiled_code import use_compiled_code
from botod.daemon.config import Config, ConfigError, load
from botod.daemon.handed import Listener, hand_on, listening
from botod.daemon.keys_errors import BadKeysFile
from botod.daemon.listener import SocketInUse
from botod.daemon.logs import Logs
from botod.daemon.master import LATER, RESTART, Master
from botod.daemon.notify import Notifier, notifier
from botod.daemon.service import ANSWER_TIMEOUT_S, Ending, Service
from botod.daemon.share import Share, divided, told_share
from botod.daemon.upload_files import BadStateDir
from botod.ipc.client import default_socket
from botod.pool import PoolError

logger = logging.getLogger(__name__)

EXIT_CONFIG = 78
"""EX_CONFIG of sysexits.h: starting it again will not help."""

DESCRIPTORS = 65_536
"""As many as the units allow: what the largest settings that make sense come to."""

KILL_AFTER_S = 5.0
"""How much longer than its drain takes a worker may live after SIGTERM."""


def main(argv: Sequence[str]) -> int:
    _open_standard_streams()
    path = parser().parse_args(argv).config
    for number in LATER:
        signal.signal(number, signal.SIG_IGN)
    faulthandler.enable()  # SIGABRT, which watchdogs send, has all stacks written
    # What is in memory are keys: no core of it is written.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _allow_descriptors()
    try:
        config, share = _read(path), told_share()
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_CONFIG
    return _told(lambda: _run(config, path, share))


def _open_standard_streams() -> None:
    """Have /dev/null for those that are closed (`2>&-`), as other daemons do.

    A socket would have the number else, and lines of the log would be written into it.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest that is free
    if sys.stderr is None:
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115 - for life


def _allow_descriptors() -> None:
    """Have as many as may be had: 1,024, which shells give, are for programs that call select()."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def _told(run: Callable[[], int]) -> int:
    """The status of `run()`; why it could not begin stands on standard error."""
    try:
        return run()
    except (ConfigError, BadKeysFile, BadStateDir) as error:
        sys.stderr.write(f"botod: {error}\n")
        return EXIT_CONFIG
    except (SocketInUse, PoolError) as error:
        sys.stderr.write(f"botod: {error}\n")
        return 1


def parser() -> argparse.ArgumentParser:
    """What may be said."""
    said = argparse.ArgumentParser(prog="botod run", description="Run the daemon.")
    said.add_argument("--config", metavar="FILE", help="settings in TOML; default: all defaults")
    return said


def _read(path: str | None) -> Config:
    return load(path) if path else Config()


def _run(config: Config, path: str | None, share: Share | None) -> int:
    is_master = share is None and config.daemon.workers > 1
    number = None if share is None else share.number
    logs = Logs(config, worker=number, has_threads=not is_master)
    socket_path = config.daemon.socket or default_socket()
    listener = listening(socket_path, int(config.daemon.socket_mode, 8))
    collector.settle()
    _tell_of_compiled_code()
    try:
        if is_master:
            is_to_restart, status = _lead(config, path, listener, logs)
        else:
            serving = _serve(
                config, path, listener, share=share or Share(), notifier=notifier(), logs=logs
            )
            is_to_restart, status = loop.run(serving) is Ending.RESTART, 0
        if is_to_restart:
            _begin_anew(listener)
        return status
    finally:
        listener.close()


def _tell_of_compiled_code() -> None:
    modules_num, refusal = use_compiled_code()
    if refusal:
        logger.warning("%s: all is interpreted; install botod and botod-compiled anew", refusal)
    elif modules_num:
        logger.info("%d modules are compiled", modules_num)


def _lead(config: Config, path: str | None, listener: Listener, logs: Logs) -> tuple[bool, int]:
    """Be the master of as many workers as the configuration says.

    Whether it is to begin anew, and its exit status.
    """
    workers_num = config.daemon.workers
    divided(config, Share(0, workers_num), _folder(listener))  # a mistake is told once, here
    master = Master(
        config,
        work=partial(_work, path, replace(listener, is_own=False)),
        read_config=partial(_read, path),
        notifier=notifier(),
        extra_stop_s=ANSWER_TIMEOUT_S + KILL_AFTER_S,
        logs=logs,
    )
    status = master.run()
    return master.wants_restart, status


def _work(
    path: str | None, listener: Listener, config: Config, share: Share, notifier: Notifier
) -> int:
    """What a worker does in the process that its master has forked."""

    def run() -> int:
        logs = Logs(config, worker=share.number)
        restart = partial(notifier.say, RESTART)
        serving = _serve(
            config, path, listener, share=share, notifier=notifier, logs=logs, restart=restart
        )
        loop.run(serving)
        return 0

    return _told(run)


async def _serve(
    config: Config,
    path: str | None,
    listener: Listener,
    *,
    share: Share,
    notifier: Notifier,
    logs: Logs,
    restart: Callable[[], None] | None = None,
) -> Ending:
    folder = _folder(listener)
    service = Service(
        divided(config, share, folder),
        listener,
        read_config=lambda: divided(_read(path), share, folder),
        share=share,
        notifier=notifier,
        restart=restart,
        logs=logs,
    )
    return await service.run()


def _folder(listener: Listener) -> str:
    """The runtime directory: where the socket is."""
    return str(Path(listener.path).parent)


def _begin_anew(listener: Listener) -> None:
    """Become the program that is installed now, as it was called, with the same socket."""
    hand_on(listener)
    logging.shutdown()  # nothing of this process is left to write the rest
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - ourselves
