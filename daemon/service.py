"""Builds a worker from the configuration, runs it, and takes it down again. Decides nothing."""

import asyncio
import logging
import os
import signal
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Any

from botod.daemon import building
from botod.daemon.colleagues import Colleagues
from botod.daemon.config import Config, ConfigError
from botod.daemon.control import Hello, answered_later, who, without_params
from botod.daemon.handed import Listener
from botod.daemon.handover import Handover
from botod.daemon.joins import Joins
from botod.daemon.leader import Leader
from botod.daemon.logs import Logs
from botod.daemon.metrics.admin import METHOD, Admin
from botod.daemon.metrics.loop_lag import LoopLag
from botod.daemon.metrics.snapshot import Snapshot
from botod.daemon.notify import Notifier, keep_telling
from botod.daemon.open_uploads import OpenUploads
from botod.daemon.records import Records
from botod.daemon.reloading import changed, effective, needs_restart
from botod.daemon.runs import Run
from botod.daemon.share import Share
from botod.daemon.sites import NoEndpoint
from botod.daemon.stacks import where_all_stand
from botod.daemon.status import Status
from botod.daemon.upload_files import state_folder
from botod.daemon.upstreams import NoSuchProfile, Upstreams
from botod.daemon.warming import Warming
from botod.daemon.worker import Control, Worker
from botod.ipc.errors import Code, RpcError
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
        self._reload_wanted = asyncio.Event()
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
        self._worker = self._make_worker()
        self._make_server()

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
        self._colleagues = Colleagues(folder, share, self._answer) if share.has_control else None
        self._leader = Leader(str(Path(folder) / "leader")) if share.has_control else None
        self._status = Status(
            self._server,
            self._worker,
            self._ledger,
            self._pool,
            self._upstreams,
            remembered_num=lambda: self._joins.remembered_num,
        )
        self._lag = LoopLag()
        self._snapshot = Snapshot(
            self._status, self._ledger.figures, self._lag, self._upstreams, share=share
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
        control: dict[str, Control] = {
            "botod.hello": self._hello,
            "botod.ping": without_params(who),
            "botod.restart": answered_later(self._on_restart_of_all),
            "botod.status": answered_later(self._status_of_all),
        }
        self._own_control: dict[str, Control] = {
            "botod.restart": answered_later(self._on_restart),
            "botod.status": without_params(self._own_status),
            METHOD: answered_later(self._own_metrics),
        }
        return Worker(
            self._upstreams,
            building.make_policy(config),
            building.make_intake(config),
            self._joins,
            control=control,
            ledger=self._ledger,
            jobs_max=config.limits.jobs,
            inline_bytes=config.limits.inline_bytes,
            unread_timeout_s=config.limits.unread_timeout_s,
            shared_keys=self._shared_keys,
        )

    async def run(self) -> Ending:
        """Serve until SIGTERM or SIGINT; without a master a second one ends all at once.

        Raises SocketInUse. Steps of the stop: no new connections, peers are told to connect anew,
        no new jobs, no more warm sockets; running jobs finish, up to `drain_timeout_s`; their
        answers are written, and what came of their keys; uploads that came to nothing are aborted;
        the pool and the socket are closed.
        """
        self._handle_signals()
        self._notifier.when_alone(self._on_alone)
        with watched_visits(self._config.daemon.visit_warn_s):
            await self._start()
            tasks = [
                asyncio.create_task(keep_telling(self._notifier, self._status.line), name="tell"),
                asyncio.create_task(self._reload_when_wanted(), name="reload"),
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
        await self._admin.start()
        if self._handover is not None:
            self._handover.start()
        self._upstreams.start()
        self._lag.start()
        self._server.listen(self._listener.sock.dup())
        self._warming.keep(self._upstreams.warm_sockets())
        self._warn()
        logger.info("listening on %s", self._listener.path)
        self._uploads.take_over(self._s3_of, (os.geteuid(), 0, 0))
        self._snapshot.is_ready = True
        self._notifier.ready()

    def _s3_of(self, profile: str) -> Callable[[], Any] | None:
        """What gives the connection by which what is left of a profile's uploads is aborted."""
        try:
            return self._upstreams.find(profile, "s3").connection
        except (NoEndpoint, NoSuchProfile):
            return None

    def _warn(self) -> None:
        if self._config.daemon.policy_mode == "audit":
            logger.warning("policy_mode is audit: what rules would refuse is only logged")

    async def _shut_down(self) -> None:
        logger.info("stopping: %d jobs are running", self._worker.running_num)
        self._snapshot.is_ready = False
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
        await self._worker.drain(self._config.daemon.drain_timeout_s)
        if self._handover is not None:
            self._handover.close()  # what came last is the server's to answer
        await self._server.close(timeout_s=ANSWER_TIMEOUT_S)
        await self._admin.close()
        self._lag.stop()
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
        loop.add_signal_handler(signal.SIGHUP, self._reload_wanted.set)
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

    async def _on_restart_of_all(self) -> dict[str, Any]:
        if self._share.is_told and self._share.workers_num > 1:
            words = "others start these workers: ask each one over its own worker-K.sock"
            raise RpcError(Code.INVALID_PARAMS, words)
        return await self._on_restart()

    async def _on_restart(self) -> dict[str, Any]:
        """Refuse if what is to begin anew would not."""
        try:
            await asyncio.to_thread(self._read_config)
        except ConfigError as error:
            raise RpcError(Code.INVALID_PARAMS, f"not restarted: {error}") from None
        logger.info("a restart was asked for")
        asyncio.get_running_loop().call_soon(self._restart_daemon)
        return who()

    async def _reload_when_wanted(self) -> None:
        while True:
            await self._reload_wanted.wait()
            self._reload_wanted.clear()
            self._notifier.reloading()
            try:
                await self._reload()
            except (ConfigError, NoEndpoint) as error:
                logger.error("not reloaded, all stays as it was: %s", error)  # noqa: TRY400
                self._ledger.reloaded([], str(error))
            self._notifier.ready()

    async def _reload(self) -> None:
        """Have the configuration of the file, as far as a running daemon can."""
        new = await asyncio.to_thread(self._read_config)
        old, late = self._config, needs_restart(self._config, new)
        config = effective(old, new)
        self._upstreams.reload(config.profiles)
        sockets = await asyncio.to_thread(self._upstreams.warm_sockets)  # it may read models
        self._config = config
        self._apply(config)
        self._warming.keep(sockets)
        names = changed(old, config)
        logger.info("reloaded; changed: %s", ", ".join(names) or "no setting")
        self._ledger.reloaded(names)
        if late:
            logger.warning("these settings need a restart: %s", ", ".join(late))
        self._warn()

    def _apply(self, config: Config) -> None:
        self._worker.reload(
            policy=building.make_policy(config),
            intake=building.make_intake(config),
            jobs_max=config.limits.jobs,
        )
        self._server.reload(building.server_limits(config))
        self._hello.limits = building.told_limits(config)
        settings = config.pool
        self._pool.resize(
            slots_per_host=settings.slots_per_host, total_slots=settings.total_slots or None
        )
        self._pool.client.reload(
            ca_file=building.ca_file(config),
            connect_timeout_s=settings.connect_timeout_s,
            idle_timeout_s=settings.idle_timeout_s,
        )
        self._records.reload(config)

    def _answer(self, exchange: Exchange) -> None:
        """What is asked on the control socket: of this worker alone; whatever else as ever."""
        own = self._own_control.get(exchange.request.method)
        if own is None:
            self._worker.handle(exchange)
            return
        self._worker.admit(exchange)
        self._ledger.asked(exchange)
        own(exchange)

    def _own_status(self) -> dict[str, Any]:
        if self._leader is None:
            return self._status()
        about = {"worker": self._share.number, "is_leader": self._leader.leads()}
        return about | self._status()

    async def _own_metrics(self) -> dict[str, Any]:
        return await self._snapshot()

    async def _status_of_all(self) -> dict[str, Any]:
        if self._colleagues is None:
            return self._own_status()
        return await self._colleagues.status(self._own_status)
