"""What a check has found: one line for a person, or an object for a program."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad it is. FAIL: somebody is not served, or not safely."""

    OK = "ok"
    WARN = "warn"
    FAIL = "FAIL"


@dataclass(frozen=True)
class Finding:
    """One. check: what was looked at. cause: what is the case. cure: what to do; empty if good."""

    check: str
    level: Level
    cause: str
    cure: str = ""

    def __str__(self) -> str:
        words = f"{self.cause}; {self.cure}" if self.cure else self.cause
        return f"{self.level:<4}  {self.check:<11}  {' '.join(words.split())}"


def good(check: str, cause: str) -> Finding:
    """Nothing to do."""
    return Finding(check, Level.OK, cause)


def doubtful(check: str, cause: str, cure: str) -> Finding:
    """It may be meant so."""
    return Finding(check, Level.WARN, cause, cure)


def bad(check: str, cause: str, cure: str) -> Finding:
    """Something to mend."""
    return Finding(check, Level.FAIL, cause, cure)
