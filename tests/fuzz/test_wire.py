"""All that reads what another process sends, over inputs that are kept and inputs that are made."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from support.fuzzing import TARGETS, run_all
from support.wire import STREAMS_OF_BYTES, UNHURRIED

CORPUS = {path.name: path.read_bytes() for path in (Path(__file__).parent / "corpus").iterdir()}


def changed(data: bytes, at: int, gone: int, come: bytes) -> bytes:
    """Some bytes replaced by others."""
    return data[:at] + come + data[at + gone :]


KEPT = st.sampled_from(sorted(CORPUS.values()))
MUTATED = st.builds(
    changed,
    st.builds(lambda data, how: bytes([how]) + data[1:], KEPT, st.integers(0, 255)),
    st.integers(0, 300),
    st.integers(0, 20),
    st.binary(max_size=5) | STREAMS_OF_BYTES,
)
JOINED = st.lists(KEPT, min_size=2, max_size=4).map(b"\n".join)
MADE = st.builds(lambda how, data: bytes([how]) + data, st.integers(0, 255), STREAMS_OF_BYTES)


@pytest.mark.parametrize("name", sorted(CORPUS))
@pytest.mark.parametrize("target", TARGETS)
def test_each_kept_input_is_survived(target: Callable[[bytes], None], name: str) -> None:
    """However it is cut, and whether descriptors come with it or not."""
    for how in range(32):
        target(bytes([how]) + CORPUS[name][1:])


@settings(UNHURRIED, max_examples=300)
@given(data=st.binary(max_size=200) | MADE | MUTATED | JOINED)
@example(data=b"")
def test_whatever_comes_is_survived(data: bytes) -> None:
    """No other exception than ours, no more memory than the limits say, nothing left open."""
    run_all(data)
