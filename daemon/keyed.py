"""Jobs with an idempotency key: of all that have the same one, one is done."""

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from botod.daemon.job import Job, traced
from botod.daemon.joins import Joins, KeyTaken, Name, fingerprint, joined_error
from botod.daemon.ledger import Ledger
from botod.daemon.policy import Permit
from botod.daemon.runner import Runner
from botod.daemon.runs import Run, settle
from botod.ipc.errors import RpcError
from botod.ipc.exchange import Exchange

if TYPE_CHECKING:
    from botod.daemon.claims import SharedKeys


class Keyed:
    """Starts jobs that have a key, or has them join.

    joins: what keys stand for here, which the runner settles. shared_keys: what they stand for at
    other workers; None: there are none.
    """

    def __init__(
        self,
        runner: Runner,
        joins: "Joins[Run]",
        *,
        ledger: Ledger,
        shared_keys: "SharedKeys | None",
    ) -> None:
        self._runner = runner
        self._joins = joins
        self._ledger = ledger
        self._shared_keys = shared_keys

    def take(self, exchange: Exchange, job: Job, permit: Permit, key: str) -> None:
        """Join a job that is done or under way already, or start one. Raises RpcError."""
        name = Name(exchange.sender.uid, key)
        actor, profile = permit.actor, job.options.profile
        signer = profile if actor is None else f"{profile} {actor}"
        asked = fingerprint(job.method, signer, job.params)
        try:
            found = self._joins.find(name, asked, now=asyncio.get_running_loop().time())
        except KeyTaken as error:
            raise joined_error(error) from None
        if found is None:
            run = self._runner.start(exchange, job, permit)
            self._joins.begin(name, asked, run)
            if self._shared_keys is not None:
                run.claim = self._shared_keys.claim(job, name, asked)
            return
        if isinstance(found, Run) and found.is_ending:
            found.follow(exchange, job, partial(self._take_again, exchange, job, permit, key))
            self._ledger.waits(exchange, job, found)
            return
        self._ledger.joined(exchange.sender, job, permit, found)
        if isinstance(found, Run):
            found.join(exchange, job)
        else:
            settle(exchange, found, job.options)

    def _take_again(self, exchange: Exchange, job: Job, permit: Permit, key: str) -> None:
        """What was under way with its key has ended: as if it came now."""
        try:
            self.take(exchange, job, permit, key)
        except RpcError as error:
            self._ledger.refused(exchange, error, job)
            exchange.fail(traced(error, job.options))
