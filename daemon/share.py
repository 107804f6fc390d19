"""Which of how many workers this process is, and what of the host's limits is its share.

Shares are whole and add up to the limit: what does not divide goes to the first workers.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botod.daemon.config import Config, ConfigError
from botod.daemon.profile_settings import ProfileSettings

if TYPE_CHECKING:
    from botod.daemon.settings import LimitSettings, PoolSettings

VARIABLE = "BOTOD_WORKER"
"""`K/N`: this process is worker K, from 0, of N that somebody else starts."""

WORKERS_MAX = 64
"""As many as `[daemon] workers` may be."""

KEYS_FILE = "keys"
"""In the runtime directory, where workers share idempotency keys unless told otherwise."""

HOST_LIMITS = (
    "peers", "peers_per_uid", "in_flight_per_uid", "requests_per_s_per_uid", "jobs",
    "buffered_bytes", "buffered_bytes_per_uid", "descriptors_per_uid",
)  # fmt: skip
HOST_POOL = ("slots_per_host", "total_slots", "max_waiting", "max_waiting_per_uid")
HOST_PROFILE = ("slots_per_host",)
"""Settings that say how much of a host or of a user there may be, over all workers."""


@dataclass(frozen=True)
class Share:
    """Worker `number`, from 0, of `workers_num`. is_told: by the environment; others start them."""

    number: int = 0
    workers_num: int = 1
    is_told: bool = False

    def __str__(self) -> str:
        return f"worker {self.number} of {self.workers_num}"

    @property
    def has_control(self) -> bool:
        """Whether it has a control socket of its own: a single worker has the one it serves."""
        return self.workers_num > 1 or self.is_told

    def of(self, limit: int) -> int:
        """The part of a limit that is this worker's."""
        before = limit * self.number // self.workers_num
        return limit * (self.number + 1) // self.workers_num - before


def told_share(environ: Mapping[str, str] = os.environ) -> Share | None:
    """The share that the environment gives. Raises ConfigError."""
    told = environ.get(VARIABLE)
    if told is None:
        return None
    found = re.fullmatch(r"(\d{1,3})/(\d{1,3})", told, re.ASCII)
    number, workers_num = map(int, found.groups()) if found else (0, 0)
    if not 0 <= number < workers_num <= WORKERS_MAX:
        raise ConfigError(
            f"{VARIABLE}={told!r}: has to be K/N, worker K from 0 of N, at most {WORKERS_MAX}"
        )
    return Share(number, workers_num, is_told=True)


def control_path(folder: str, number: int) -> str:
    """Where worker `number` can be asked by itself."""
    return str(Path(folder) / f"worker-{number}.sock")


def divided(config: Config, share: Share, folder: str) -> Config:
    """The configuration of one worker. folder: the runtime directory.

    Raises ConfigError if a limit is too small to be divided.
    """
    if share.workers_num == 1:
        return config
    mistakes: list[str] = []
    limits: LimitSettings = _parts("limits", config.limits, HOST_LIMITS, share, mistakes)
    pool: PoolSettings = _parts("pool", config.pool, HOST_POOL, share, mistakes)
    if limits.inline_bytes > limits.buffered_bytes:
        mistakes.append(
            f"[limits] inline_bytes = {limits.inline_bytes}: has to be at most a worker's share of "
            f"buffered_bytes, {limits.buffered_bytes}"
        )
    profiles = {
        name: _profile_part(name, one, share, mistakes) for name, one in config.profiles.items()
    }
    if mistakes:
        raise ConfigError("\n".join(mistakes))
    daemon = config.daemon
    if not daemon.keys_file:
        daemon = replace(daemon, keys_file=str(Path(folder).absolute() / KEYS_FILE))
    return replace(config, daemon=daemon, limits=limits, pool=pool, profiles=profiles)


def _parts(
    section: str, settings: Any, names: tuple[str, ...], share: Share, mistakes: list[str]
) -> Any:
    shares: dict[str, int] = {}
    for name in names:
        limit = getattr(settings, name)
        shares[name] = share.of(limit)  # of nought, which often means that there is none, nought
        if 0 < limit < share.workers_num:
            mistakes.append(
                f"[{section}] {name} = {limit}: has to be at least the number of workers, "
                f"{share.workers_num}, among which it is divided"
            )
    return replace(settings, **shares)


def _profile_part(
    name: str, profile: ProfileSettings, share: Share, mistakes: list[str]
) -> ProfileSettings:
    part: ProfileSettings = _parts(f"profile.{name}", profile, HOST_PROFILE, share, mistakes)
    warm = {service: share.of(number) for service, number in profile.warm_sockets.items()}
    return replace(part, warm_sockets=warm)
