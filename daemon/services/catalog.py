"""All operations there are: the rows of the tables, and for the rest the models of AWS's services.

A row is at hand. A model is read when the first of its operations is asked for, in a thread of its
own: that takes up to 40 ms. `botod.daemon.models`, and botocore with it, is imported there and
then, so who keeps to the rows neither waits for it nor holds it.
"""

import asyncio
import functools
import importlib
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from botod.daemon.services.operation import CannotBeCarried, Operation, Service
from botod.daemon.services.resources import Resources

if TYPE_CHECKING:
    from botod.daemon.models.service import ModelService

MODELS_KEPT = 32
"""Services whose models stay in memory, those used last: some 2 MiB each, EC2's 14."""

NEAR_NAMES = 5
"""That are told to who has misspelt one."""


class NoSuchOperation(Exception):
    """There is no such service, or it has no such operation; says which there are."""


class Catalog:
    """The operations of all services.

    rows: those that have rows, which go before the models' of the same names.
    """

    def __init__(self, rows: Mapping[str, Service]) -> None:
        self._rows = rows
        self._by_method = {
            f"{service}.{name}": row
            for service, table in rows.items()
            for name, row in table.operations.items()
        }
        self._kept: OrderedDict[str, ModelService] = OrderedDict()
        self._reading = threading.RLock()
        self._told: dict[str, bool] = {}
        self._under_way: dict[str, Future[Operation]] = {}

    def at_hand(self, method: str) -> Operation | None:
        """An operation that can be had at once; None: it has to be loaded, or there is none."""
        row = self._by_method.get(method)
        if row is not None:
            return row
        service, _dot, name = method.partition(".")
        kept = self._kept.get(service)
        if kept is None:
            return None
        with suppress(KeyError):  # the thread has just taken it out
            self._kept.move_to_end(service)
        # Before it is told whether it is explicit, policy would take it for one that is not.
        return kept.made(name) if method in self._told else None

    async def load(self, service: str, name: str) -> Operation:
        """An operation, once it is there; all who ask for it meanwhile wait for the same reading.

        Raises NoSuchOperation, CannotBeCarried.
        """
        method = f"{service}.{name}"
        future = self._under_way.get(method)
        if future is None:
            future = self._under_way[method] = self._thread.submit(self.operation, service, name)
            future.add_done_callback(lambda _future: self._under_way.pop(method, None))
        # Shielded: who leaves does not take it from the others.
        return await asyncio.shield(asyncio.wrap_future(future))

    def operation(self, service: str, name: str) -> Operation:
        """An operation, here and now. Raises NoSuchOperation, CannotBeCarried."""
        method = f"{service}.{name}"
        row = self._by_method.get(method)
        if row is not None:
            return row
        with self._reading:
            found = self.model(service, name).operation(name)
            if found is None:
                raise NoSuchOperation(self._misspelt(service, name))
            self._told[method] = found.is_explicit
            return found

    def model(self, service: str, name: str = "") -> "ModelService":
        """A service as its model has it, here and now. Raises NoSuchOperation.

        name: of the operation that is looked for.
        """
        with self._reading:
            if service not in self.services:
                raise NoSuchOperation(self._misspelt(service, name))
            model = self._kept.pop(service, None) or _module("service").load_service(service)
            self._kept[service] = model
            if len(self._kept) > MODELS_KEPT:
                self._kept.popitem(last=False)
            return model

    @functools.cached_property
    def services(self) -> frozenset[str]:
        """The names of all services. Reads folders for 50 ms, once."""
        return frozenset(_module("loading").service_names()) | self._rows.keys()

    def names(self, service: str) -> list[str]:
        """Those of a service's operations, here and now. Raises NoSuchOperation."""
        row = self._rows.get(service)
        rows = [] if row is None else list(row.operations)
        return sorted({*rows, *self.model(service).names})

    def is_told(self, method: str) -> bool:
        """Whether it is known of an operation what `is_explicit` asks: it was asked for before."""
        return method in self._told or method in self._by_method

    def is_explicit(self, method: str) -> bool:
        """Whether a rule has to name an operation; of one that was not loaded yet, not known."""
        row = self._by_method.get(method)
        return self._told.get(method, False) if row is None else row.is_explicit

    def resources(self, method: str) -> Resources | None:
        """What an operation touches, here and now; None: there is none, or it cannot be done."""
        service, _dot, name = method.partition(".")
        try:
            return self.operation(service, name).resources
        except (NoSuchOperation, CannotBeCarried):
            return None

    def near(self, name: str, names: Iterable[str]) -> str:
        """Words for who has misspelt a name; empty if none is like it."""
        import difflib  # noqa: PLC0415 - 0.2 MB, for who misspells something

        found = difflib.get_close_matches(name, names, NEAR_NAMES)
        return f"; did you mean {', '.join(found)}?" if found else ""

    @functools.cached_property
    def _thread(self) -> ThreadPoolExecutor:
        """One: reading is nothing that goes faster side by side, and one peer asks for much."""
        return ThreadPoolExecutor(1, "models")

    def _misspelt(self, service: str, name: str) -> str:
        method = f"{service}.{name}" if name else service
        if service not in self.services:
            near = self.near(service, self.services)
            return f"unknown method {method!r}: there is no service {service!r}{near}"
        near = self.near(name, self.names(service))
        lists = f"; `botod services {service}` lists what {service} has"
        return f"unknown method {method!r}{near or lists}"


def _module(name: str) -> Any:
    """Of what reads models, imported on first use."""
    return importlib.import_module(f"botod.daemon.models.{name}")
