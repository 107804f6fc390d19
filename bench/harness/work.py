"""What is measured: a work, and those who do it."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from harness.figures import Row

Figures = Mapping[str, float]
"""What one round of one contender gave, by the key of a column."""


class NotMeasuredError(Exception):
    """A contender cannot be had here; its words say why, and stand in the table."""


class Kind(Enum):
    """What a contender's row is good for."""

    OURS = "ours"
    PEER = "peer"  # does the whole work: what a user would pick instead
    LIMIT = "limit"  # does less, nothing signed or parsed: what cannot be beaten


class Contender(NamedTuple):
    """One row. run: does one round of the work."""

    label: str
    kind: Kind
    run: Callable[[], Figures]


class Column(NamedTuple):
    """One figure. unit: "" if it has none; more: whether more is better."""

    key: str
    head: str
    unit: str = ""
    more: bool = False


class Scale(NamedTuple):
    """How much is done. quick: the whole bench of one work ends within three minutes."""

    quick: bool

    @property
    def rounds(self) -> int:
        return 2 if self.quick else 3

    def of(self, full: int, quick: int) -> int:
        """The number that fits."""
        return quick if self.quick else full


class Work(NamedTuple):
    """One table.

    stage: starts the servers for the length of a block and gives the contenders, the one called
    "botod" among them. columns: the first is the one that contenders are compared by; less is
    better in it, unless it says otherwise. plot: what makes the SVG; without one, bars of the first
    column. on_one_core: contenders and daemons have the first core, servers the last one.
    """

    name: str
    title: str
    columns: tuple[Column, ...]
    stage: Callable[[Scale], AbstractContextManager[Mapping[str, Contender]]]
    on_one_core: bool = True
    plot: "Callable[[Work, Sequence[Row]], str] | None" = None
