"""Has a running worker reload its configuration: at SIGHUP, or as an administrator asks."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from botod.daemon import building
from botod.daemon.config import Config, ConfigError
from botod.daemon.console import Deed
from botod.daemon.control import Hello
from botod.daemon.log_levels import LogLevels
from botod.daemon.notify import Notifier
from botod.daemon.records import Records
from botod.daemon.reloading import changed, effective, needs_restart
from botod.daemon.services.operation import Params
from botod.daemon.sites import NoEndpoint
from botod.daemon.upstreams import Upstreams
from botod.daemon.warming import Warming
from botod.daemon.worker import Worker
from botod.ipc.errors import Code, RpcError
from botod.ipc.server import Server
from botod.pool import Pool

logger = logging.getLogger(__name__)


class Reloaded(NamedTuple):
    """What a reload came to: settings that hold now, and such as will after a restart."""

    changed: list[str]
    needs_restart: list[str]


class Reloader:
    """Gives each part of a worker what it has of a new configuration.

    config: what holds. read_config: gives that of the file; it may block. wanted: to be set for a
    reload whose answer is the log's.
    """

    def __init__(
        self,
        config: Config,
        *,
        read_config: Callable[[], Config],
        notifier: Notifier,
        upstreams: Upstreams,
        worker: Worker,
        server: Server,
        hello: Hello,
        pool: Pool,
        warming: Warming,
        log_levels: LogLevels,
        records: Records,
    ) -> None:
        self.config = config
        self.wanted = asyncio.Event()
        self._one_by_one = asyncio.Lock()
        self._read_config = read_config
        self._notifier = notifier
        self._upstreams = upstreams
        self._worker = worker
        self._server = server
        self._hello = hello
        self._pool = pool
        self._warming = warming
        self._log_levels = log_levels
        self._records = records

    async def run(self) -> None:
        """Reload whenever it is wanted, until cancelled."""
        while True:
            await self.wanted.wait()
            self.wanted.clear()
            try:
                await self.reload()
            except (ConfigError, NoEndpoint) as error:
                logger.error("not reloaded, all stays as it was: %s", error)  # noqa: TRY400
            except Exception:  # a bug; the next signal is not to be lost for it
                logger.exception("not reloaded, all stays as it was")

    def deed(self, then: Callable[[], None]) -> Deed:
        """`botod.reload`. then: to be done when all workers were asked to."""
        return Deed(self._answer, then=then)

    async def reload(self) -> Reloaded:
        """Have the configuration of the file, as far as a running daemon can.

        Raises ConfigError, NoEndpoint, and whatever else fails: all stays as it was.
        """
        async with self._one_by_one:
            self._notifier.reloading()
            try:
                return await self._reload()
            except Exception as error:
                self._records.ledger.reloaded([], str(error) or repr(error))
                raise
            finally:
                self._notifier.ready()

    async def _answer(self, _params: Params) -> Mapping[str, Any]:
        try:
            told = await self.reload()
        except (ConfigError, NoEndpoint) as error:
            words = f"not reloaded, all stays as it was: {error}"
            raise RpcError(Code.INVALID_PARAMS, words) from None
        return told._asdict()

    async def _reload(self) -> Reloaded:
        new = await asyncio.to_thread(self._read_config)
        old, late = self.config, needs_restart(self.config, new)
        config = effective(old, new)
        self._upstreams.reload(config.profiles)
        try:
            sockets = await asyncio.to_thread(self._upstreams.warm_sockets)  # it may read models
            self._apply(config)
        except Exception:
            self._upstreams.reload(old.profiles)
            self._apply(old)
            raise
        self.config = config
        self._warming.keep(sockets)
        told = Reloaded(changed(old, config), late)
        logger.info("reloaded; changed: %s", ", ".join(told.changed) or "no setting")
        self._records.ledger.reloaded(told.changed)
        if late:
            logger.warning("these settings need a restart: %s", ", ".join(late))
        warn(config)
        return told

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
        self._log_levels.reset()
        self._records.reload(config)


def warn(config: Config) -> None:
    """Say what nobody should forget."""
    if config.daemon.policy_mode == "audit":
        logger.warning("policy_mode is audit: what rules would refuse is only logged")
