"""A context variable that has a value for the length of a block."""

import asyncio
from contextvars import ContextVar

import pytest

from botod.pool import spawn
from botod.pool.during import During

VARIABLE: ContextVar[str] = ContextVar("variable", default="none")


def test_it_has_it_in_the_block_only() -> None:
    """Blocks nest, and an error ends one as its end does."""
    with During(VARIABLE, "outer") as given:
        assert (given, VARIABLE.get()) == ("outer", "outer")
        with pytest.raises(LookupError, match="inner"), During(VARIABLE, "inner"):
            raise LookupError(VARIABLE.get())
        assert VARIABLE.get() == "outer"
    assert VARIABLE.get() == "none"


def test_what_is_spawned_in_the_block_has_it() -> None:
    """Also when it runs after its end."""

    async def main() -> None:
        with During(VARIABLE, "ours"):
            spawned = spawn(VARIABLE.get)
        assert await spawned == "ours"

    asyncio.run(main())
