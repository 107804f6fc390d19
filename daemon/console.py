"""An administrator's methods: what each does at one worker, and how all of them are asked.

On the shared socket a method is one of the host: the worker that is asked has the others do the
same, over their control sockets, and answers for all. On a control socket it is that worker's own.
The answer has the same form either way, as if one were several:

    {"workers": [{"worker": 0, …}, {"worker": 1, …}], "silent": [{"worker": 2, "why": "no answer"}]}
"""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from botod.daemon.colleagues import Colleagues
from botod.daemon.control import answered_later, read_params
from botod.daemon.services.operation import Params
from botod.daemon.services.shapes import Struct
from botod.ipc.exchange import Exchange

logger = logging.getLogger(__name__)

Does = Callable[[Params], Awaitable[Mapping[str, Any]]]


@dataclass(frozen=True)
class Deed:
    """One method.

    shape: of its params; None: it takes none. do: does it at this worker, and may raise RpcError
    before anything was done. is_change: it changes something, so the log tells who asked for it.
    takes_s: how long it may take by its own nature. then: what is to be done besides, once, where
    it was done at all workers.
    """

    do: Does
    shape: Struct | None = None
    is_change: bool = True
    takes_s: Callable[[Params], float] = lambda _params: 0.0
    then: Callable[[], None] | None = None


class Console:
    """The methods of one worker. number: its own. colleagues: the others; None: there are none."""

    def __init__(
        self, deeds: Mapping[str, Deed], *, number: int, colleagues: Colleagues | None
    ) -> None:
        self._number = number
        self._colleagues = colleagues
        self.own = {name: self._control(deed, self._own) for name, deed in deeds.items()}
        self.of_all = {
            name: self._control(deed, partial(self._of_all, name)) for name, deed in deeds.items()
        }

    def _control(
        self, deed: Deed, answer: Callable[[Deed, Params], Awaitable[dict[str, Any]]]
    ) -> Callable[[Exchange], None]:
        later = answered_later(partial(answer, deed), deed.shape)

        def method(exchange: Exchange) -> None:
            params, sender = read_params(exchange, deed.shape), exchange.sender
            if deed.is_change:
                asked = f"{exchange.request.method} {json.dumps(params)}"
                logger.info("pid %d, user %d: %s", sender.pid, sender.uid, asked)
            later(exchange)

        return method

    async def _own(self, deed: Deed, params: Params) -> dict[str, Any]:
        told = await deed.do(params)
        return {"workers": [{"worker": self._number, **told}], "silent": []}

    async def _of_all(self, name: str, deed: Deed, params: Params) -> dict[str, Any]:
        """Have it done everywhere; an error is this worker's own, and the others' as a rule."""
        if self._colleagues is None:
            return await self._own(deed, params)
        asking = self._colleagues.ask(name, params, takes_s=deed.takes_s(params))
        own, (answers, silent) = await asyncio.gather(self._own(deed, params), asking)
        if deed.then is not None:
            deed.then()
        workers = own["workers"] + [one for answer in answers for one in answer["workers"]]
        return {"workers": sorted(workers, key=_worker), "silent": silent}


def _worker(answer: Mapping[str, Any]) -> int:
    number: int = answer["worker"]
    return number
