"""The parts of a daemon, and their limits, as the configuration says."""

import dataclasses
import importlib
from typing import TYPE_CHECKING, Any

import certifi

from botod.daemon.config import Config
from botod.daemon.intake import Intake
from botod.daemon.policy import Policy
from botod.ipc.framing import MessageLimits
from botod.ipc.limits import ServerLimits
from botod.pool import CurlClient, Pool
from botod.pool.traces import Tracing

import boto

if TYPE_CHECKING:
    from botod.daemon.claims import SharedKeys


def make_pool(config: Config, tracing: Tracing | None) -> Pool:
    """Needs the running loop. Raises PoolError if libcurl is not fit for it.

    tracing: for the account of its requests.
    """
    settings = config.pool
    client = CurlClient(
        force_instance=True,
        ca_file=ca_file(config),
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
        tracing=tracing,
    )


def make_policy(config: Config) -> Policy:
    """The rules, those of the files beside the configuration among them."""
    return Policy(rules=config.rules, audit=config.daemon.policy_mode == "audit")


def make_shared_keys(config: Config) -> "SharedKeys | None":
    """What idempotency keys stand for at all daemons of the host. Raises BadKeysFile.

    Imported only where there is such a file: most do without, and SQLite is 1.2 MiB.
    """
    path = config.daemon.keys_file
    if not path:
        return None
    claims: Any = importlib.import_module("botod.daemon.claims")
    made: SharedKeys = claims.SharedKeys(path, remember_s=config.daemon.remember_s)
    return made


def make_intake(config: Config) -> Intake:
    """Reads requests by the deadlines that are set."""
    return Intake(
        timeout_s=config.daemon.job_timeout_s,
        timeout_max_s=config.daemon.job_timeout_max_s,
    )


def ca_file(config: Config) -> str:
    """The roots that servers are verified against."""
    return config.pool.ca_file or certifi.where()


def server_limits(config: Config) -> ServerLimits:
    """What of `[limits]` the wire keeps; a job's is the worker's."""
    limits = config.limits
    return ServerLimits(
        message=MessageLimits(line_bytes=limits.line_bytes, inline_bytes=limits.inline_bytes),
        **{
            field.name: getattr(limits, field.name)
            for field in dataclasses.fields(ServerLimits)
            if field.name != "message"
        },
    )


def told_limits(config: Config) -> dict[str, float]:
    """What a peer is told of the settings: all that may refuse or end something of its own."""
    daemon = config.daemon
    return dataclasses.asdict(config.limits) | {
        "job_timeout_s": daemon.job_timeout_s,
        "job_timeout_max_s": daemon.job_timeout_max_s,
        "remember_s": daemon.remember_s,
    }


def forget_boto_config() -> None:
    """Drop what boto read from /etc/boto.cfg and ~/.boto: the daemon has one configuration.

    Some of boto's settings break it (max_retry_delay does on Python 3), others would change where
    requests go without a word here.
    """
    for section in boto.config.sections():
        boto.config.remove_section(section)
