"""PROTOCOL.md says what the code does."""

import re
from pathlib import Path

from botod.daemon.services import SERVICES
from botod.daemon.settings import DaemonSettings, LimitSettings
from botod.ipc import (
    batches,
    controls,
    descriptor_queue,
    envelope,
    exchange,
    framing,
    protocol,
    streams,
)
from botod.ipc.errors import Code
from botod.ipc.life import TRANSITIONS, Life

DOCUMENT = (Path(__file__).parents[2] / "ipc" / "PROTOCOL.md").read_text(encoding="utf-8")


def test_every_error_is_listed_and_no_other() -> None:
    """Number and name of each code, in the document's table as in the code."""
    rows = re.findall(r"^\| (-32\d{3}) \| (\w+) \|", DOCUMENT, re.MULTILINE)
    assert {name: int(number) for number, name in rows} == {code.name: code for code in Code}


def test_every_operation_is_listed_and_no_other() -> None:
    """The table of services is the tables of operations."""
    rows = re.findall(r"^\| `(\w+)` \| ([a-z_0-9, ]+) \|$", DOCUMENT, re.MULTILINE)
    documented = {service: names.split(", ") for service, names in rows}
    assert documented == {name: list(service.operations) for name, service in SERVICES.items()}


def test_every_option_is_listed() -> None:
    """What may stand beside params is in the table of a request."""
    for key in protocol.OPTION_KEYS | protocol.ENVELOPE_KEYS:
        assert f"\n| `{key}` |" in DOCUMENT


def test_the_limits_are_the_defaults() -> None:
    """Each number in the document is the one that holds."""
    limits, daemon = LimitSettings(), DaemonSettings()
    for words in (
        f"at most {limits.line_bytes:,} bytes without",
        f"At most {envelope.MAX_BLOBS} may be declared, together at most {limits.inline_bytes:,}",
        f"at most {descriptor_queue.MAX_FDS} descriptors, and {envelope.MAX_STREAMS} streams",
        f"on one connection, {limits.in_flight_per_peer} by default",
        f"when {limits.unread_bytes:,} bytes wait",
        f"taken nothing for {limits.unread_timeout_s:g} seconds",
        f"within {limits.half_sent_timeout_s:g} seconds of its first byte",
        f"after {limits.idle_timeout_s:,.0f} seconds",
        f"At most {limits.streams_per_peer} streams",
        f"at most {limits.descriptors_per_uid} of one user",
        f"At most {descriptor_queue.SURPLUS_FDS} that no line has declared",
        f"one piece of at most {controls.CHUNK_BYTES:,}",
        f"{streams.WINDOW_BYTES:,} bytes at first",
        f"An array of 1 to {framing.MAX_BATCH} requests",
        f"up to {batches.MAX_BYTES:,} in one answer",
        f"{daemon.job_timeout_s:g} by default, {daemon.job_timeout_max_s:g} if it has a stream",
        f"is remembered for {daemon.remember_s:g} seconds",
        f"beyond {framing.MAX_DRAIN_BYTES // 1024**3} GiB it closes",
    ):
        assert words in " ".join(DOCUMENT.split()), words
    assert (limits.line_bytes, limits.inline_bytes) == framing.MessageLimits()


def test_the_life_of_a_request_is_drawn_as_it_is() -> None:
    """The table under the drawing is the table of transitions."""
    moves = {
        (before.value, happening.value, after.value)
        for (before, happening), after in exchange.TRANSITIONS.items()
    }
    drawn = re.findall(r"^    (running|streaming) {2,}(\S.*?) {2,}(\w+)$", DOCUMENT, re.MULTILINE)
    assert set(drawn) == moves


def test_the_life_of_a_connection_is_drawn_as_it_is() -> None:
    """Which state may follow which."""
    lives = "|".join(life.value for life in Life)
    drawn = re.findall(rf"^    ({lives}) +((?:(?:{lives})(?:, )?)+)$", DOCUMENT, re.MULTILINE)
    moves = {life.value: {after.value for after in TRANSITIONS[life]} for life in Life}
    assert {before: set(after.split(", ")) for before, after in drawn} == {
        before: after for before, after in moves.items() if after
    }
