"""Builds a worker from the configuration, runs it, and takes it down again. Decides nothing."""

import asyncio
import logging
import os
import signal
from collections.abc import Callable
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any

from botod.daemon import building
from botod.daemon.colleagues import Colleagues
from botod.daemon.config import Config
from botod.daemon.control import Hello
from botod.daemon.gates import Gates
from botod.daemon.handed import Listener
from botod.daemon.handover import Handover
from botod.daemon.joins import Joins
from botod.daemon.killing import Ids
from botod.daemon.leader import Leader
from botod.daemon.log_levels import LogLevels
from botod.daemon.logs import Logs
from botod.daemon.metrics.admin import Admin
from botod.daemon.metrics.loop_lag import LoopLag
from botod.daemon.metrics.snapshot import Snapshot
from botod.daemon.notify import REREAD, Notifier, keep_telling
from botod.daemon.open_uploads import OpenUploads
from botod.daemon.own_methods import GATES, OwnMethods, deeds_on
from botod.daemon.records import Records
from botod.daemon.reloader import Reloader, warn
from botod.daemon.restarting import Restarting
from botod.daemon.runs import Run
from botod.daemon.share import Share
from botod.daemon.sites import NoEndpoint
from botod.daemon.stacks import where_all_stand
from botod.daemon.status import Status
from botod.daemon.upload_files import state_folder
from botod.daemon.upstreams import NoSuchProfile, Upstreams
from botod.daemon.warming import Warming
from botod.daemon.worker import Control, Worker
from botod.ipc.errors import RpcError
from botod.ipc.exchange import Exchange
from botod.ipc.server import Server
from botod.pool import watched_visits

logger = logging.getLogger(__name__)

ANSWER_TIMEOUT_S = 5.0
"""After the last job, how long peers may take to read their answers."""

ALONE = Share()


class Ending(Enum):
    """Why a worker came to its end."""

    STOPPED = "it was told to stop"
    RESTART = "it is to begin anew, with the same listening socket"


class Service:
    """One worker: a pool, and the listening socket that it serves alone or with others.

    config: this worker's share of the configuration; read_config: gives that of the file as it is
    now, and may block. notifier: hears of this worker's life. restart: has the master begin the
    daemon anew; None: there is no master, this process does. logs: this process's.
    """

    def __init__(
        self,
        config: Config,
        listener: Listener,
        *,
        read_config: Callable[[], Config],
        share: Share = ALONE,
        notifier: Notifier | None = None,
        restart: Callable[[], None] | None = None,
        logs: Logs | None = None,
    ) -> None:
        """Build the parts. Needs the running loop; opens epoll's descriptors and the keys file.

        Raises BadKeysFile, BadStateDir, ConfigError, PoolError, and SocketInUse if the runtime
        directory is no place for workers.
        """
        building.forget_boto_config()
        self._config = config
        self._listener = listener
        self._read_config = read_config
        self._share = share
        self._notifier = notifier or Notifier()
        self._has_master = restart is not None
        self._restart_daemon = restart or self._begin_anew
        self._stop = asyncio.Event()
        self._log_levels = LogLevels()
        self._ending = Ending.STOPPED
        self._records = Records(config, share, logs)
        self._pool = building.make_pool(config, self._records.tracing)
        self._warming = Warming(self._pool)
        state = state_folder(config.daemon.state_dir)
        if state is None:
            logger.debug("no state_dir: open uploads are not remembered")
        self._uploads = OpenUploads(state)
        self._upstreams = Upstreams(self._pool, config.profiles, uploads=self._uploads)
        self._shared_keys = building.make_shared_keys(config)
        self._joins = Joins[Run](remember_s=0 if self._shared_keys else config.daemon.remember_s)
        self._hello = Hello(building.told_limits(config))
        self._ledger = self._records.ledger
        self._gates = Gates(self._pool)
        self._ids = Ids(share.number)
        self._control: dict[str, Control] = {}
        self._worker = self._make_worker()
        self._make_server()
        self._reloader = self._make_reloader()
        self._methods = self._make_methods()
        self._control.update(self._methods.of_all)

    def _make_server(self) -> None:
        share, folder = self._share, str(Path(self._listener.path).parent)
        limits = building.server_limits(self._config)
        self._handover = Handover(folder, share) if share.workers_num > 1 else None
        self._server = Server(
            self._worker.handle,
            limits,
            self._handover,
            on_refused=self._ledger.refused_unread,
        )
        if self._handover is not None:
            self._handover.adopt = self._server.adopt
        self._colleagues = (
            Colleagues(folder, share, self._answer, on_refused=self._ledger.refused_unread)
            if share.has_control
            else None
        )
        self._leader = Leader(str(Path(folder) / "leader")) if share.has_control else None
        self._status = Status(
            self._server,
            self._worker,
            self._ledger,
            self._pool,
            self._upstreams,
            remembered_num=lambda: self._joins.remembered_num,
            ids=self._ids,
            leader=self._leader,
        )
        self._lag = LoopLag()
        self._snapshot = Snapshot(
            self._status,
            self._ledger.figures,
            self._lag,
            self._upstreams,
            gates=self._gates,
            share=share,
        )
        self._admin = Admin(
            folder,
            self._config.metrics,
            self._snapshot,
            leader=self._leader,
            colleagues=self._colleagues,
        )

    def _make_worker(self) -> Worker:
        config = self._config
        return Worker(
            self._upstreams,
            building.make_policy(config),
            building.make_intake(config),
            self._joins,
            control=self._control,
            ledger=self._ledger,
            gates=self._gates,
            jobs_max=config.limits.jobs,
            inline_bytes=config.limits.inline_bytes,
            unread_timeout_s=config.limits.unread_timeout_s,
            shared_keys=self._shared_keys,
        )

    def _make_reloader(self) -> Reloader:
        return Reloader(
            self._config,
            read_config=self._read_config,
            notifier=self._notifier,
            upstreams=self._upstreams,
            worker=self._worker,
            server=self._server,
            hello=self._hello,
            pool=self._pool,
            warming=self._warming,
            log_levels=self._log_levels,
            records=self._records,
        )

    def _make_methods(self) -> OwnMethods:
        deeds = deeds_on(
            self._worker,
            server=self._server,
            pool=self._pool,
            upstreams=self._upstreams,
            gates=self._gates,
            ids=self._ids,
            config=lambda: self._reloader.config,
            read_config=self._read_config,
        )
        deeds["botod.log_level"] = self._log_levels.deed()
        deeds["botod.reload"] = self._reloader.deed(self._tell_master)
        return OwnMethods(
            deeds,
            hello=self._hello,
            status=self._status,
            snapshot=self._snapshot,
            gates=self._gates,
            restarting=Restarting(
                self._share, read_config=self._read_config, restart=self._restart_daemon
            ),
            number=self._share.number,
            colleagues=self._colleagues,
        )

    async def run(self) -> Ending:
        """Serve until SIGTERM or SIGINT; without a master a second one ends all at once.

        Raises SocketInUse. Steps of the stop: no new connections, peers are told to connect anew,
        no new jobs, no more warm sockets; running jobs finish, up to `drain_timeout_s`; their
        answers are written, and what came of their keys; uploads that came to nothing are aborted;
        the pool and the socket are closed.
        """
        self._handle_signals()
        self._notifier.listen(alone=self._on_alone, refused=partial(self._ledger.reloaded, []))
        with watched_visits(self._config.daemon.visit_warn_s):
            await self._start()
            tasks = [
                asyncio.create_task(keep_telling(self._notifier, self._status.line), name="tell"),
                asyncio.create_task(self._reloader.run(), name="reload"),
            ]
            await self._stop.wait()
            await self._shut_down()
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        return self._ending

    async def _start(self) -> None:
        if self._colleagues is not None:
            await self._colleagues.open()
            # Those that are silent begin, too, as a rule.
            turned, _silent = await self._colleagues.ask(GATES, {}, level=logging.DEBUG)
            for gates in turned:
                self._gates.take(gates)
        await self._admin.start()
        if self._handover is not None:
            self._handover.start()
        self._upstreams.start()
        self._lag.start()
        self._status.history.start()
        self._server.listen(self._listener.sock.dup())
        self._warming.keep(self._upstreams.warm_sockets())
        warn(self._config)
        logger.info("listening on %s", self._listener.path)
        self._uploads.take_over(self._s3_of, (os.geteuid(), 0, 0))
        self._snapshot.has_started = True
        self._notifier.ready()

    def _s3_of(self, profile: str) -> Callable[[], Any] | None:
        """What gives the connection by which what is left of a profile's uploads is aborted."""
        try:
            return self._upstreams.find(profile, "s3").connection
        except (NoEndpoint, NoSuchProfile):
            return None

    async def _shut_down(self) -> None:
        logger.info("stopping: %d jobs are running", self._worker.running_num)
        self._snapshot.has_started = False
        if self._ending is Ending.STOPPED:
            self._notifier.stopping()
        if self._handover is not None:
            self._handover.leave()
        if self._colleagues is not None:
            self._colleagues.leave()
        self._server.finish()
        if self._ending is Ending.STOPPED:
            self._listener.close()
        await self._warming.stop()
        await self._worker.drain(self._reloader.config.daemon.drain_timeout_s)
        if self._handover is not None:
            self._handover.close()  # what came last is the server's to answer
        await self._server.close(timeout_s=ANSWER_TIMEOUT_S)
        await self._admin.close()
        self._lag.stop()
        self._status.history.stop()
        if self._colleagues is not None:
            await self._colleagues.close()
        if self._leader is not None:
            self._leader.close()
        if self._shared_keys is not None:
            await self._shared_keys.close()
        await self._uploads.close()
        self._upstreams.close()
        self._pool.close()
        await self._records.close()
        logger.info("stopped")

    def _handle_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_stop_signal)
        loop.add_signal_handler(signal.SIGHUP, self._reloader.wanted.set)
        loop.add_signal_handler(signal.SIGUSR1, self._on_reopen_signal)
        loop.add_signal_handler(signal.SIGUSR2, self._on_stacks_signal)

    def _on_stop_signal(self) -> None:
        """Stop. A terminal and systemd signal a whole group: the master's own comes on top."""
        if self._stop.is_set() and not self._has_master:
            logger.warning("second signal: ending at once")
            logging.shutdown()  # for two seconds at most
            os._exit(1)
        self._stop.set()

    def _on_alone(self) -> None:
        logger.info("the master has gone, so this worker stops")
        self._stop.set()

    def _on_reopen_signal(self) -> None:
        self._records.reopen()

    def _on_stacks_signal(self) -> None:
        for words in where_all_stand():
            logger.info("SIGUSR2: %s", words)

    def _begin_anew(self) -> None:
        self._ending = Ending.RESTART
        self._stop.set()

    def _tell_master(self) -> None:
        """Have workers that come later begin with the configuration that these have now."""
        if self._has_master:
            self._notifier.say(REREAD)

    def _answer(self, exchange: Exchange) -> None:
        """What is asked on the control socket: of this worker alone; whatever else as ever."""
        own = self._methods.own.get(exchange.request.method)
        if own is None:
            self._worker.handle(exchange)
            return
        try:
            self._worker.admit(exchange)
            self._ledger.asked(exchange)
            own(exchange)
        except RpcError as error:
            self._ledger.refused(exchange, error)
            raise
