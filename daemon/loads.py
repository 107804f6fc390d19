"""A request that waits for its operation to be read from its model."""

import asyncio
from collections.abc import Callable
from typing import Any

from botod.daemon.job import refusal, traced
from botod.daemon.options import Options
from botod.daemon.services import CATALOG
from botod.daemon.services.catalog import NoSuchOperation
from botod.daemon.services.operation import CannotBeCarried, Operation
from botod.ipc.answering import internal_error
from botod.ipc.errors import Code, RpcError
from botod.ipc.exchange import Exchange


class Loading:
    """The waiting of one request, until its deadline. began: when it came.

    begin: goes on with the operation; raises RpcError. refused: hears why nothing begins. task:
    ends with the waiting; cancelled, the request is told so.
    """

    def __init__(
        self,
        exchange: Exchange,
        options: Options,
        deadline: float,
        *,
        began: float,
        begin: Callable[[Operation], None],
        refused: Callable[[RpcError], None],
    ) -> None:
        self.exchange = exchange
        self.options = options
        self.began = began
        self._deadline = deadline
        self._begin = begin
        self._refused = refused
        self.task = asyncio.create_task(self._wait(), name=f"load {exchange.request.method}")
        self.task.add_done_callback(self._ended)
        exchange.on_cancel = self.task.cancel

    def _ended(self, task: "asyncio.Task[None]") -> None:
        """Tell of a task that was cancelled before it began: nothing of it was run."""
        if task.cancelled():
            self._fail(self._cancelled())

    async def _wait(self) -> None:
        service, _dot, name = self.exchange.request.method.partition(".")
        try:
            operation = await self._loaded(service, name)
            self.exchange.on_cancel = None
            self._begin(operation)
        except RpcError as error:
            self._fail(error)
        except Exception as error:  # noqa: BLE001 - a bug: this peer is told, all go on
            self._fail(internal_error(error))

    def _fail(self, error: RpcError) -> None:
        self.exchange.on_cancel = None
        self._refused(error)
        self.exchange.fail(traced(error, self.options))

    async def _loaded(self, service: str, name: str) -> Operation:
        """Raises RpcError."""
        method = f"{service}.{name}"
        try:
            async with asyncio.timeout_at(self._deadline):
                return await CATALOG.load(service, name)
        except TimeoutError:
            words = f"{method}: its model was not read by the deadline; nothing was sent"
            data = self._data() | {"retryable": True}
            raise RpcError(Code.DEADLINE_EXCEEDED, words, data) from None
        except asyncio.CancelledError:
            raise self._cancelled() from None
        except (NoSuchOperation, CannotBeCarried) as error:
            refused = refusal(error)
            assert refused is not None, "in the table of refusals"
            raise refused from None

    def _cancelled(self) -> RpcError:
        words = f"{self.exchange.request.method} was ended; nothing was sent"
        return RpcError(Code.CANCELLED, words, self._data())

    def _data(self) -> dict[str, Any]:
        service, _dot, name = self.exchange.request.method.partition(".")
        return {"service": service, "operation": name, "outcome_unknown": False}
