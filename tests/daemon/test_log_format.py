"""What a line of the log looks like, and that nothing in it can look like another."""

import json
import logging
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botod.daemon.log_format import (
    RENDERERS,
    TRIMMED,
    LineFormatter,
    Templates,
    head,
    iso_time,
    render_json,
    render_text,
    value_text,
)

HEAD = {"time": "2026-01-02T03:04:05.678Z", "level": "info", "logger": "botod.pool"}


def record(message: str, *args: Any, exc_info: Any = None) -> logging.LogRecord:
    """One of the standard library's, of a fixed time."""
    made = logging.LogRecord("botod.pool", logging.WARNING, "file", 1, message, args, exc_info)
    made.created = 1_767_323_045.678
    return made


def test_a_time_is_in_utc_to_the_millisecond() -> None:
    """As every tool reads it."""
    assert iso_time(1_767_323_045.678) == "2026-01-02T03:04:05.678Z"
    assert iso_time(0.0) == "1970-01-01T00:00:00.000Z"


def test_a_line_of_another_logger() -> None:
    """Its words stand as they are; a worker of several says which one it is."""
    text = LineFormatter("text", 3).format(record("host %s rests", "h"))
    assert text == "2026-01-02T03:04:05.678Z WARNING worker 3 botod.pool: host h rests"
    parsed = json.loads(LineFormatter("json", None).format(record("host %s rests", "h")))
    assert parsed == HEAD | {"level": "warning", "event": "host h rests"}


@pytest.mark.parametrize("form", ["text", "json"])
def test_words_are_cut(form: str) -> None:
    """A name that a peer chose, of a megabyte, leaves room for what others have to say."""
    assert len(LineFormatter(form, None).format(record("no %s", "x" * 1_000_000))) < TRIMMED + 200


def test_a_traceback_goes_on_with_tabs() -> None:
    """So that it is read by people, and none of its lines can look like one of the log."""
    try:
        raise ValueError("bad\n2026-01-01T00:00:00.000Z INFO botod.pool: forged\x1b[2J")
    except ValueError:
        found = sys.exc_info()
    text = LineFormatter("text", None).format(record("a bug", exc_info=found))
    first, *rest = text.split("\n")
    assert first.endswith("WARNING botod.pool: a bug")
    assert all(line.startswith("\t") for line in rest)
    assert rest[0] == "\tTraceback (most recent call last):"
    assert rest[-1].endswith(r"forged\u001b[2J")
    parsed = json.loads(LineFormatter("json", None).format(record("a bug", exc_info=found)))
    assert "Traceback" in parsed["exception"]


def test_a_job_s_line() -> None:
    """What it was and how it went stand first."""
    job = {"event": "job", "operation": "s3.get_object", "outcome": "ok", "took_ms": 1.5}
    assert render_text(HEAD | job) == (
        "2026-01-02T03:04:05.678Z INFO botod.pool: job s3.get_object ok took_ms=1.5"
    )
    assert json.loads(render_json(HEAD | job)) == HEAD | job


TEXTS = st.text(st.characters(codec=None, exclude_categories=()))
NAMES = st.sampled_from(("operation", "outcome", "unit", "resource", "sent_bytes", "took_ms"))


@pytest.mark.parametrize("form", RENDERERS)
@given(
    fields=st.dictionaries(NAMES, TEXTS | st.integers() | st.floats(0, 1e9)),
    worker=st.none() | st.integers(0, 99),
)
def test_a_template_is_filled_in_as_the_renderer_would_have_it(
    form: str, fields: dict[str, Any], worker: int | None
) -> None:
    """Byte by byte, whichever fields there are, and whatever stands in them."""
    templates, fields = Templates(form, "job"), dict(sorted(fields.items()))
    given = {key: templates.text(one) if type(one) is str else one for key, one in fields.items()}
    line = head(form, "info", worker, "botod.x") % "T" + templates.fill(given)
    about = {"time": "T", "level": "info", "worker": worker, "logger": "botod.x", "event": "job"}
    if worker is None:
        del about["worker"]
    assert line == RENDERERS[form](about | fields)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("b/k", "b/k"),
        (7, "7"),
        ("", '""'),
        ("a b", '"a b"'),
        ("a=b", '"a=b"'),
        ('a"b', r'"a\"b"'),
        ("a\\b", r'"a\\b"'),
        ("ä", '"ä"'),
        ("a\nb", r'"a\nb"'),
        ("\x1b[2J", r'"\u001b[2J"'),
        ("\u202e", r'"\u202e"'),
        ("\udcff", r'"\udcff"'),
    ],
)
def test_what_a_value_looks_like(value: object, text: str) -> None:
    """As it is, or as JSON has it in quotes."""
    assert value_text(value) == text


@given(TEXTS)
def test_no_value_ends_its_line_or_its_field(value: str) -> None:
    """It can be read back, and shows nothing that a terminal would act on."""
    text = value_text(value)
    assert text.isprintable()
    if text.startswith('"'):
        assert json.loads(text) == value
    else:
        assert text == value
        assert not set(text) & set(' "=\\')


@given(st.text())
def test_no_words_begin_a_line(words: str) -> None:
    """What goes on does so with a tab."""
    text = LineFormatter("text", None).format(record("%s", words))
    assert all(line.startswith("\t") for line in text.split("\n")[1:])
    assert text.replace("\n\t", "").isprintable()
