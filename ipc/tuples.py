"""`NamedTuple` as `typing` has it, without `typing`, which takes as long to import as the client.

Type checkers see `typing.NamedTuple` itself. A module that uses this has its annotations as texts
(`from __future__ import annotations`): their names are the fields, what they say is not looked at.
"""

from __future__ import annotations

from collections import namedtuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NamedTuple
else:

    class _Fields(type):
        """Makes of a class body with annotations a tuple with these fields."""

        def __new__(cls, name: str, bases: tuple[type, ...], body: dict[str, Any]) -> type:
            if not bases:
                return super().__new__(cls, name, bases, body)
            fields = body["__annotations__"]
            defaults = [body.pop(field) for field in fields if field in body]
            plain = namedtuple(name, fields, defaults=defaults)  # noqa: PYI024 - the annotated one
            return type(name, (plain,), {"__slots__": (), **body})

    class NamedTuple(metaclass=_Fields):
        """What a class with fields is derived from."""


__all__ = ["NamedTuple"]
