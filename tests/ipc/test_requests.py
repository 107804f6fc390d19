"""What a client makes of a call before it is sent."""

import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botod.ipc.options import Options
from botod.ipc.protocol import OPTION_KEYS
from botod.ipc.requests import (
    BODY_TIMEOUT_S,
    DEFAULT_TIMEOUT_S,
    OPTION_NAMES,
    merged,
    prepared,
    timed,
)
from botod.ipc.sending import SMALL_BYTES

VALUES = st.none() | st.integers() | st.text(max_size=3)
OPTIONS = st.dictionaries(st.sampled_from(sorted(OPTION_NAMES)), VALUES)


def test_the_options_are_those_of_the_wire() -> None:
    """What type checkers allow is what is allowed; progress is asked for by a callback."""
    assert Options.__annotations__.keys() == OPTION_NAMES == OPTION_KEYS - {"progress"}


@given(st.lists(OPTIONS))
def test_later_options_count_more(some: list[dict[str, Any]]) -> None:
    """None is as if nothing was said, so it does not take back what was."""
    result = merged(*some)
    for name in OPTION_NAMES:
        said = [one[name] for one in some if one.get(name) is not None]
        assert result.get(name) == (said[-1] if said else None)
    assert None not in result.values()


def test_an_option_that_there_is_not() -> None:
    """It is named beside those there are, before anything is sent; None or not set is no matter."""
    with pytest.raises(TypeError, match=r"'timeout'; there are: batch, .*traceparent"):
        merged({"profile": "p"}, {"timeout": 5})
    with pytest.raises(TypeError, match="progress"):
        merged({"progress": True})


def test_a_body_is_made_ready_where_it_stands() -> None:
    """The caller's params stay as they are."""
    body = io.BytesIO(b"abc")
    params = {"Bucket": "b", "Body": body}
    assert prepared(params) == {"Bucket": "b", "Body": b"abc"}
    assert params["Body"] is body


def test_a_stream_s_length_is_told_if_it_is_known() -> None:
    """S3 wants to know it before the first byte; a length that was given is not overruled."""
    size = SMALL_BYTES + 1
    assert prepared({"Body": io.BytesIO(bytes(size))})["ContentLength"] == size
    assert prepared({"Body": io.BytesIO(bytes(size)), "ContentLength": 5})["ContentLength"] == 5
    assert "ContentLength" not in prepared({"Body": iter([b"x"])})
    assert "ContentLength" not in prepared({"Body": b"x"})


def test_the_length_of_a_file_is_the_daemon_s_to_find_out(tmp_path: Path) -> None:
    """It goes with the descriptor; what was declared stands in both."""
    (tmp_path / "f").write_bytes(b"abc")
    with (tmp_path / "f").open("rb") as body:
        assert "ContentLength" not in prepared({"Body": body})
        ready = prepared({"Body": body, "ContentLength": 2})
    assert (ready["Body"].length, ready["ContentLength"]) == (2, 2)


def test_a_body_on_its_way_has_more_time() -> None:
    """What the daemon gives it, who is not told; 60 seconds would end a large upload."""
    assert timed({"priority": 1}, has_body=True) == ({"priority": 1}, BODY_TIMEOUT_S)


def test_a_request_that_says_nothing_has_a_deadline() -> None:
    """And tells it to the daemon, so that both give up at the same time."""
    options = {"priority": 1}
    timeout_s = DEFAULT_TIMEOUT_S
    said = {"priority": 1, "timeout_s": timeout_s}
    assert timed(options, has_body=False) == (said, timeout_s)
    assert options == {"priority": 1}


@pytest.mark.parametrize("has_body", [True, False])
def test_a_deadline_that_was_said_counts(*, has_body: bool) -> None:
    """Whatever is sent."""
    assert timed({"timeout_s": 5}, has_body=has_body) == ({"timeout_s": 5}, 5.0)
