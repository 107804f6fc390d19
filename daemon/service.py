"""Builds everything from the configuration, runs it, and takes it down again. Decides nothing."""

import asyncio
import dataclasses
import logging
import os
import signal
import socket
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import certifi

from botod.daemon.claims import SharedKeys
from botod.daemon.config import Config
from botod.daemon.control import Hello, who, without_params
from botod.daemon.endpoints import NoEndpoint
from botod.daemon.intake import Intake
from botod.daemon.joins import Joins
from botod.daemon.listener import open_listener, remove_socket
from botod.daemon.open_uploads import OpenUploads
from botod.daemon.policy import Policy
from botod.daemon.runs import Run
from botod.daemon.upload_files import state_folder
from botod.daemon.upstreams import NoSuchProfile, Upstreams
from botod.daemon.worker import Control, Worker
from botod.ipc.client import default_socket
from botod.ipc.framing import MessageLimits
from botod.ipc.limits import ServerLimits
from botod.ipc.server import Server
from botod.pool import CurlClient, HostPoolStats, Pool, visit_stats, watched_visits
from botod.pool.warmth import keep_warm

import boto

logger = logging.getLogger(__name__)

ANSWER_TIMEOUT_S = 5.0
"""After the last job, how long peers may take to read their answers."""


class Service:
    """One daemon: a listening socket, a worker, a pool."""

    def __init__(self, config: Config) -> None:
        """Build the parts. Needs the running loop; opens epoll's descriptors and the keys file.

        Raises BadKeysFile, BadStateDir.
        """
        _forget_boto_config()
        self.socket_path = config.daemon.socket or default_socket()
        self._socket_mode = int(config.daemon.socket_mode, 8)
        self._drain_timeout_s = config.daemon.drain_timeout_s
        self._visit_warn_s = config.daemon.visit_warn_s
        self._is_audit = config.daemon.policy_mode == "audit"
        self._began = time.monotonic()
        self._stop = asyncio.Event()
        self._pool = _pool(config)
        self._warming: list[asyncio.Task[None]] = []
        folder = state_folder(config.daemon.state_dir)
        if folder is None:
            logger.debug("no state_dir: open uploads are not remembered")
        self._uploads = OpenUploads(folder)
        self._upstreams = Upstreams(self._pool, config.profiles, uploads=self._uploads)
        limits = _server_limits(config)
        path, remember_s = config.daemon.keys_file, config.daemon.remember_s
        self._shared_keys = SharedKeys(path, remember_s=remember_s) if path else None
        self._joins = Joins[Run](remember_s=0 if path else remember_s)
        self._worker = self._make_worker(config, limits)
        self._server = Server(self._worker.handle, limits)

    def _make_worker(self, config: Config, limits: ServerLimits) -> Worker:
        timeout_s, timeout_max_s = config.daemon.job_timeout_s, config.daemon.job_timeout_max_s
        control: dict[str, Control] = {
            "botod.hello": Hello(_told_limits(config)),
            "botod.ping": without_params(who),
            "botod.status": without_params(self._status),
        }
        return Worker(
            self._upstreams,
            Policy(rules=config.rules, audit=config.daemon.policy_mode == "audit"),
            Intake(timeout_s=timeout_s, timeout_max_s=timeout_max_s),
            self._joins,
            control=control,
            jobs_max=config.limits.jobs,
            inline_bytes=limits.message.inline_bytes,
            unread_timeout_s=limits.unread_timeout_s,
            shared_keys=self._shared_keys,
        )

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT; a second one ends what still runs at once.

        Raises SocketInUse. Steps of the stop: no new connections and jobs, no more warm sockets;
        running jobs finish, up to `drain_timeout_s`; their answers are written, and what came of
        their keys; uploads that came to nothing are aborted; the pool and the socket are closed.
        """
        listener = open_listener(self.socket_path, self._socket_mode)
        self._handle_signals()
        with watched_visits(self._visit_warn_s):
            self._start(listener)
            await self._stop.wait()
            await self._shut_down()

    def _start(self, listener: socket.socket) -> None:
        self._upstreams.start()
        if self._is_audit:
            logger.warning("policy_mode is audit: what rules would refuse is only logged")
        self._server.listen(listener)
        for origin, sockets_num in self._upstreams.warm_sockets().items():
            warming = keep_warm(self._pool, origin, sockets_num)
            self._warming.append(asyncio.create_task(warming, name=f"keep_warm {origin}"))
        logger.info("listening on %s", self.socket_path)
        self._uploads.take_over(self._s3_of, (os.geteuid(), 0, 0))

    async def _shut_down(self) -> None:
        logger.info("stopping: %d jobs are running", self._worker.running_num)
        self._server.stop_listening()
        remove_socket(self.socket_path)
        for warming in self._warming:
            warming.cancel()
        if self._warming:
            await asyncio.wait(self._warming)
        await self._worker.drain(self._drain_timeout_s)
        await self._server.close(timeout_s=ANSWER_TIMEOUT_S)
        if self._shared_keys is not None:
            await self._shared_keys.close()
        await self._uploads.close()
        self._upstreams.close()
        self._pool.close()
        logger.info("stopped")

    def _s3_of(self, profile: str) -> Callable[[], Any] | None:
        """What gives the connection by which what is left of a profile's uploads is aborted."""
        try:
            return self._upstreams.find(profile, "s3").connection
        except (NoEndpoint, NoSuchProfile):
            return None

    def _handle_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_stop_signal)

    def _on_stop_signal(self) -> None:
        if self._stop.is_set():
            logger.warning("second signal: ending at once")
            os._exit(1)
        self._stop.set()

    def _status(self) -> dict[str, Any]:
        """What `botod status` shows. Counts only."""
        peers = self._server.stats()
        return {
            **who(),
            "uptime_s": round(time.monotonic() - self._began, 3),
            "peers": [dataclasses.asdict(peer) for peer in peers],
            "jobs": {
                "running_num": self._worker.running_num,
                "polling_num": self._worker.polling_num,
                **dataclasses.asdict(self._worker.counts),
                "remembered_num": self._joins.remembered_num,
            },
            "buffered_bytes": self._server.budget.used_bytes,
            "refused_by_limit": self._refused_by_limit(),
            "total": dataclasses.asdict(self._pool.total_stats()),
            "pools": [_pool_status(host) for host in self._pool.stats()],
            **self._upstreams.stats(),
            "visits": dataclasses.asdict(visit_stats()),
        }

    def _refused_by_limit(self) -> Mapping[str, int]:
        counts = Counter(self._server.refusals.by_limit())
        counts.update(self._worker.refusals.by_limit())
        return dict(sorted(counts.items()))


def _pool_status(host: HostPoolStats) -> Mapping[str, Any]:
    return {
        "origin": str(host.origin),
        "profile": host.origin.lane.name,
        "slots_most_num": host.slots_most_num,
        "shrinks_total": host.shrinks_total,
        **dataclasses.asdict(host.slots),
        "sockets": dataclasses.asdict(host.sockets),
        "health": dataclasses.asdict(host.health),
    }


def _pool(config: Config) -> Pool:
    settings = config.pool
    client = CurlClient(
        force_instance=True,
        ca_file=settings.ca_file or certifi.where(),
        connect_timeout_s=settings.connect_timeout_s,
        idle_timeout_s=settings.idle_timeout_s,
    )
    return Pool(
        client,
        slots_per_host=settings.slots_per_host,
        max_waiting=settings.max_waiting,
        max_waiting_per_key=settings.max_waiting_per_uid,
        slot_timeout_s=settings.slot_timeout_s,
        total_slots=settings.total_slots or None,
    )


def _server_limits(config: Config) -> ServerLimits:
    limits = config.limits
    return ServerLimits(
        message=MessageLimits(line_bytes=limits.line_bytes, inline_bytes=limits.inline_bytes),
        **{
            field.name: getattr(limits, field.name)
            for field in dataclasses.fields(ServerLimits)
            if field.name != "message"
        },
    )


def _told_limits(config: Config) -> dict[str, float]:
    """What a peer is told of the settings: all that may refuse or end something of its own."""
    daemon = config.daemon
    return dataclasses.asdict(config.limits) | {
        "job_timeout_s": daemon.job_timeout_s,
        "job_timeout_max_s": daemon.job_timeout_max_s,
        "remember_s": daemon.remember_s,
    }


def _forget_boto_config() -> None:
    """Drop what boto read from /etc/boto.cfg and ~/.boto: the daemon has one configuration.

    Some of boto's settings break it (max_retry_delay does on Python 3), others would change where
    requests go without a word here.
    """
    for section in boto.config.sections():
        boto.config.remove_section(section)
