"""`botod.restart`: the daemon begins anew, if what is to begin would."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from botod.daemon.config import Config, ConfigError
from botod.daemon.control import who
from botod.daemon.services.operation import Params
from botod.daemon.share import Share
from botod.ipc.errors import Code, RpcError

logger = logging.getLogger(__name__)


class Restarting:
    """Has the daemon begin anew. restart: does it; read_config: may block."""

    def __init__(
        self, share: Share, *, read_config: Callable[[], Config], restart: Callable[[], None]
    ) -> None:
        self._share = share
        self._read_config = read_config
        self._restart = restart

    async def of_all(self, _params: Params) -> dict[str, Any]:
        """Refuse where it would be one of several only, of whom nobody here is the master."""
        if self._share.is_told and self._share.workers_num > 1:
            words = "others start these workers: ask each one over its own worker-K.sock"
            raise RpcError(Code.INVALID_PARAMS, words)
        return await self.own(_params)

    async def own(self, _params: Params) -> dict[str, Any]:
        """Refuse if what is to begin anew would not."""
        try:
            await asyncio.to_thread(self._read_config)
        except ConfigError as error:
            raise RpcError(Code.INVALID_PARAMS, f"not restarted: {error}") from None
        logger.info("a restart was asked for")
        asyncio.get_running_loop().call_soon(self._restart)
        return who()
