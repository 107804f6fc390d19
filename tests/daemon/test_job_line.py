"""The line that the log has about a job."""

import json
import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botod.daemon.gathering import Together
from botod.daemon.job_line import MAX_RESOURCE, JobLog
from botod.daemon.log_format import RENDERERS, render_json, render_text
from botod.daemon.moved import Moved
from botod.daemon.options import DEFAULTS, Options
from botod.daemon.policy import Permit
from botod.daemon.runs import Run
from botod.daemon.verdicts import Decision
from botod.ipc.errors import Code, RpcError
from botod.pool import Terms
from support.rigs import SENDER
from support.runs import job_of, run_of


def run_with(**changes: Any) -> Run:
    """A job that took one attempt, as the log looks at it."""
    terms = Terms()
    terms.count_attempt()
    terms.times.queue_s += changes.pop("queued_s", 0.0)
    job = job_of(options=changes.pop("options", DEFAULTS), terms=terms)
    permit = Permit(None, changes.pop("resources", ()), Decision(True, None, None))
    about = {"moved": Moved(), "together": None, "unit": None} | changes
    return run_of(job, sender=SENDER, permit=permit, **about)


def line(
    caplog: pytest.LogCaptureFixture,
    run: Run,
    error: RpcError | None = None,
    *,
    shows_resources: bool = True,
) -> str:
    """Its line, after 12.34 ms, without whose it was."""
    caplog.set_level(logging.INFO)
    JobLog(shows_resources=shows_resources).ended(run, error, 0.01234)
    (record,) = caplog.records
    return record.getMessage().replace(f" uid={SENDER.uid} pid={SENDER.pid}", "")


def test_what_moved_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """The least that a line says."""
    assert line(caplog, run_with()) == "job s3.get_object ok attempts=1 took_ms=12.3"


def test_one_of_several(caplog: pytest.LogCaptureFixture) -> None:
    """Which entry of its request it was, and of how many; and how long it waited for a slot."""
    assert line(caplog, run_with(together=Together(3, 7), queued_s=0.5)) == (
        "job s3.get_object ok attempts=1 took_ms=12.3 queued_ms=500.0 batch_entry=3 batch_size=7"
    )


def moved(sent_bytes: int, received_bytes: int) -> Moved:
    """So many bytes."""
    one = Moved()
    one.sent_bytes, one.received_bytes = sent_bytes, received_bytes
    return one


def test_bytes_and_trace(caplog: pytest.LogCaptureFixture) -> None:
    """Where there are any."""
    run = run_with(moved=moved(7, 8), options=Options(traceparent="00-a-b-01"))
    assert line(caplog, run) == (
        "job s3.get_object ok attempts=1 took_ms=12.3 sent_bytes=7 received_bytes=8 "
        "traceparent=00-a-b-01"
    )


def test_unit_and_resources(caplog: pytest.LogCaptureFixture) -> None:
    """Of several the first that can be told, cut where it is too long."""
    name = "b/" + "k" * 1000
    run = run_with(unit="web.service", resources=(None, name, "b/l"))
    assert line(caplog, run).endswith(
        f" unit=web.service resource={name[:MAX_RESOURCE]} resources_num=3"
    )


def test_names_may_be_left_out(caplog: pytest.LogCaptureFixture) -> None:
    """They may be personal."""
    assert "resource" not in line(caplog, run_with(resources=("b/k",)), shows_resources=False)


class Kept:
    """Keeps the words of lines."""

    def __init__(self, form: str) -> None:
        self.form = form
        self.words: list[str] = []

    def tell(self, logger: str, words: str) -> None:
        self.words.append(words)


@given(
    resources=st.lists(st.none() | st.text()).map(tuple),
    unit=st.none() | st.text(),
    queued_s=st.floats(0, 1e6),
    moved=st.builds(moved, st.integers(0), st.integers(0)),
    together=st.none() | st.just(Together(3, 7)),
    kind=st.none() | st.text(),
    shows_resources=st.booleans(),
)
def test_both_forms_say_the_same_as_a_renderer_would(
    kind: str | None, *, shows_resources: bool, **about: Any
) -> None:
    """Of whatever is known of a job."""
    error = None if kind is None else RpcError(Code.SERVICE_ERROR, "no", {"type": kind})
    words = {}
    for form in RENDERERS:
        kept = Kept(form)
        JobLog(kept, shows_resources=shows_resources).ended(run_with(**about), error, 0.01234)
        (words[form],) = kept.words
    fields = json.loads("{" + words["json"])
    assert words["json"] == render_json(fields)[1:]
    begin = {"time": "T", "level": "info", "logger": "x"}
    assert f"T INFO x: {words['text']}" == render_text(begin | fields)


@pytest.mark.parametrize(
    ("code", "data", "word"),
    [
        (Code.SERVICE_ERROR, {"type": "NoSuchKey"}, "NoSuchKey"),
        (Code.INVALID_PARAMS, {}, "-32602"),
        (Code.CANCELLED, {"type": "x"}, "cancelled"),
        (Code.INTERNAL_ERROR, {}, "failed"),
    ],
)
def test_how_it_went(
    caplog: pytest.LogCaptureFixture, code: Code, data: dict[str, Any], word: str
) -> None:
    """In a word: AWS's, else the wire's."""
    error = RpcError(code, "it failed", data)
    assert line(caplog, run_with(), error).startswith(f"job s3.get_object {word} ")
