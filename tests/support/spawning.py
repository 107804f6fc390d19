"""What tests of spawned functions spawn, raise and await."""

import asyncio
import contextvars
from typing import Any

VAR: contextvars.ContextVar[str] = contextvars.ContextVar("var", default="unset")


class Boom(Exception):
    """Raised by tests."""


async def value(result: Any) -> Any:
    """Give `result` in a later turn of the loop."""
    await asyncio.sleep(0)
    return result
