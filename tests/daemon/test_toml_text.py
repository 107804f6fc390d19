"""What is written as TOML is read as the same."""

import tomllib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from botod.daemon.toml_text import key_text, table_lines, value_text

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
SCALARS = TEXTS | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner), max_leaves=8
)


@given(st.dictionaries(TEXTS, VALUES))
def test_what_is_written_is_read_as_the_same(table: dict[str, Any]) -> None:
    """Whatever the values and keys are."""
    read = tomllib.loads("\n".join(table_lines(table)))
    assert read == table
    assert repr(read) == repr(table), "1 is not 1.0"


def test_how_it_looks() -> None:
    """As a person would write it."""
    assert value_text({"s3": "http://x", "a.b": [1, 2.0, True]}) == (
        '{ s3 = "http://x", "a.b" = [1, 2.0, true] }'
    )
    assert value_text({}) == "{}"
    assert key_text("") == '""'
