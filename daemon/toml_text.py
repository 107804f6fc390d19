"""Values and tables as TOML, which the standard library reads and does not write."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

BARE = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")
"""What a key may have without quotes."""


def value_text(value: Any) -> str:
    """A text, a number, true or false, a list or a table, on one line."""
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, Mapping):
        pairs = ", ".join(f"{key_text(key)} = {value_text(one)}" for key, one in value.items())
        return f"{{ {pairs} }}" if pairs else "{}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(value_text, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value)


def key_text(key: str) -> str:
    """A key, in quotes if it needs them."""
    return key if key and BARE.issuperset(key) else _quoted(key)


def table_lines(values: Mapping[str, Any]) -> Iterator[str]:
    """What stands in a table, a line a key."""
    for key, value in values.items():
        yield f"{key_text(key)} = {value_text(value)}"


def _quoted(text: str) -> str:
    """JSON's escapes are TOML's, but for the one character that JSON leaves as it is."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
