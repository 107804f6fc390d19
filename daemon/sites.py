"""Where a service is, and what a profile wants of that."""

from dataclasses import dataclass


class NoEndpoint(Exception):
    """A service is not where a profile wants it."""


@dataclass(frozen=True)
class Wanted:
    """What a profile says of AWS's endpoints."""

    region: str
    fips: bool = False
    dual_stack: bool = False

    def __str__(self) -> str:
        variants = "with FIPS " * self.fips + "with dual stack " * self.dual_stack
        return f"{variants}in {self.region!r}"


@dataclass(frozen=True)
class Site:
    """A host of a service's.

    region, signing_name: what signatures name; the latter is empty where the model tells it.
    """

    host: str
    region: str
    signing_name: str = ""
