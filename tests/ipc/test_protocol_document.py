"""PROTOCOL.md says what the code does."""

import re
from pathlib import Path

from botod.daemon.config import DaemonSettings, LimitSettings
from botod.daemon.services import SERVICES
from botod.ipc import protocol
from botod.ipc.errors import Code

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
    for key in protocol.OPTION_KEYS | protocol.ENVELOPE_KEYS - {"fds"}:
        assert f"\n| `{key}` |" in DOCUMENT


def test_the_limits_are_the_defaults() -> None:
    """Each number in the document is the one that holds."""
    limits, daemon = LimitSettings(), DaemonSettings()
    for words in (
        f"at most {limits.line_bytes:,} bytes without",
        f"At most {protocol.MAX_BLOBS} may be declared, together at most {limits.inline_bytes:,}",
        f"on one connection, {limits.in_flight_per_peer} by default",
        f"when {limits.unread_bytes:,} bytes wait",
        f"{daemon.job_timeout_s:g} by default, {daemon.job_timeout_max_s:g} at most",
        f"beyond {protocol.MAX_DRAIN_BYTES // 1024**3} GiB it closes",
    ):
        assert words in " ".join(DOCUMENT.split()), words
    assert (limits.line_bytes, limits.inline_bytes) == protocol.Limits()
