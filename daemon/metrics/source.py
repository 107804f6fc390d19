"""Where the pages get what they show."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Source:
    """snapshots: what each worker that answers tells. is_ready: whether any of them takes jobs."""

    snapshots: Callable[[], Awaitable[Sequence[Mapping[str, Any]]]]
    is_ready: Callable[[], Awaitable[bool]]
