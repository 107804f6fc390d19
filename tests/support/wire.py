"""Values and lines for tests of the wire's parts without I/O."""

import json
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from botod.ipc.framing import Decoder, Message
from botod.ipc.protocol import ENVELOPE_KEYS, OPTION_KEYS

UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

ABSENT = object()
"""In place of a value: the key is left out."""

HUGE_NUMBER = "9" * 4300
"""As many digits as Python reads; a sum of such numbers has more than it writes."""

MARKER_KEYS = ("$base64", "$bytes", "$fd", "$literal", "$options", "$stream", "length", "offset")

KEYS = st.text(max_size=5) | st.sampled_from(MARKER_KEYS)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(0, 3)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
    | st.sampled_from(["QQ==", "$bytes"])
)


def values(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Values as JSON nests them, of which many look like markers."""
    return st.recursive(
        leaves,
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(KEYS, inner, max_size=4)
            | st.builds(lambda key, value: {key: value}, st.sampled_from(MARKER_KEYS), inner)
        ),
        max_leaves=20,
    )


JSON = values(LEAVES)
"""What JSON has."""

BYTES_TOO = values(LEAVES | st.binary(max_size=50))
"""What may stand in params and results."""

FRAGMENTS = st.lists(
    st.sampled_from([
        *(b'{ } [ ] " : , - 0 1 63 true null NaN 1e999 \\ud800 \xff'.split()),
        *(f'"{key}":'.encode() for key in sorted(ENVELOPE_KEYS | OPTION_KEYS)),
        b"\n",
        b'{"bytes":[',
        b'{"jsonrpc":"2.0","method":"m","params":{',
        b'{"jsonrpc":"2.0","method":"stream.data","params":{"stream":1},"bytes":[3]}\nabc',
        b'{"$bytes":0}',
        b'{"$fd":0,"offset":1}',
        b'{"$base64":"x"}',
        b'"$options":',
        b"[" * 2000,
        HUGE_NUMBER.encode(),
    ]),
    max_size=30,
).map(b"".join)
"""Pieces that parsers have stumbled over, in any order."""

METHODS = st.sampled_from([
    "$/cancelRequest", "hello", "later", "m", "read", "send", "stream.cancel", "stream.credit",
    "stream.data", "stream.end",
])  # fmt: skip
"""Names that support.fuzzing or the protocol gives a meaning to."""

ENVELOPES = (
    st
    .dictionaries(
        st.sampled_from(sorted(ENVELOPE_KEYS | OPTION_KEYS | {"$options", "error", "result"})),
        JSON
        | st.lists(st.integers(0, 9), max_size=3)
        | st.fixed_dictionaries({"stream": st.integers(0, 3)}, optional={"bytes": st.just(9)}),
    )
    .flatmap(
        lambda envelope: METHODS.map(lambda name: {"jsonrpc": "2.0", "method": name} | envelope)
    )
    .map(lambda envelope: line(**envelope))
)
"""Lines that are nearly requests, controls or answers."""

BATCHES = st.lists(ENVELOPES, max_size=3).map(
    lambda lines: b"[" + b",".join(one.strip() for one in lines) + b"]\n"
)

STREAMS_OF_BYTES = st.lists(
    st.binary(max_size=20) | FRAGMENTS | ENVELOPES | BATCHES, max_size=6
).map(b"".join)
"""What a peer may send, meant well or not."""


def line(**envelope: Any) -> bytes:
    """An envelope as it stands on the wire."""
    return json.dumps(envelope).encode() + b"\n"


def came_through(pieces: list[bytes]) -> Message:
    """The one message that these pieces are."""
    decoder = Decoder()
    decoder.feed(b"".join(pieces))
    event = decoder.next()
    assert isinstance(event, Message)
    assert decoder.next() is None
    assert not decoder.is_half_read
    return event
