"""What `botod pause`, `drain` and `resume` ask for, and how they end."""

from types import SimpleNamespace
from typing import Any, Self

import pytest

from botod.daemon import asking
from botod.daemon.commands import drain, pause, resume

Answer = dict[str, Any]


def answer(*, gate: str = "open", running: int = 0, wire: int = 0) -> Answer:
    """Of two workers, alike."""
    told = {"profiles": {"a": gate}, "running_num": running, "on_the_wire_num": wire}
    return {"workers": [{"worker": number, **told} for number in (0, 1)], "silent": []}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A daemon that gives the answer that is put here, and what it was asked."""
    found = SimpleNamespace(answer=answer(), calls=[], timeouts=[])

    class Connection:
        def __init__(self, _path: str | None, *, timeout_s: float) -> None:
            found.timeouts.append(timeout_s)

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_error: object) -> None:
            pass

        def call(self, method: str, params: Any) -> Answer:
            found.calls.append((method, params))
            told: Answer = found.answer
            return told

    monkeypatch.setattr(asking, "connect", Connection)
    return found


@pytest.mark.parametrize(
    ("command", "words", "wanted"),
    [
        (pause, [], ("botod.pause", {"wait_s": 60}, "paused: everything\n")),
        (
            pause,
            ["a", "--timeout", "5"],
            ("botod.pause", {"profile": "a", "wait_s": 5}, "paused: a\n"),
        ),
        (drain, ["a"], ("botod.drain", {"profile": "a", "wait_s": 60}, "drained: a\n")),
        (resume, [], ("botod.resume", {}, "resumed: everything\n")),
    ],
)
def test_what_is_asked(
    asked: Any, capsys: pytest.CaptureFixture[str], command: Any, words: list[str], wanted: Any
) -> None:
    """The answer is waited for as long as the daemon may take, and longer."""
    method, params, says = wanted
    assert command.main(words) == 0
    assert asked.calls == [(method, params)]
    assert asked.timeouts == [params.get("wait_s", 0) + asking.TIMEOUT_S]
    assert capsys.readouterr() == (says, "")


@pytest.mark.parametrize(
    ("command", "told", "words"),
    [
        (pause, answer(wire=2), "paused, but 2 requests are still on the wire"),
        (drain, answer(running=3), "no new jobs are taken, but 3 still run"),
        (resume, answer(gate="paused"), "a is still paused, as everything is"),
    ],
)
def test_what_is_not_as_it_was_asked_for(
    asked: Any, capsys: pytest.CaptureFixture[str], command: Any, told: Answer, words: str
) -> None:
    """Each worker's, on standard error, and status 1."""
    asked.answer = told
    assert command.main(["a"]) == 1
    err = capsys.readouterr().err
    assert [f"botod: worker {n}: {words}" in err for n in (0, 1)] == [True, True]


def test_a_silent_worker_is_a_failure(asked: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Though the others did it."""
    asked.answer = answer() | {"silent": [{"worker": 2, "why": "no answer"}]}
    assert resume.main([]) == 1
    assert capsys.readouterr().err == "botod: worker 2 does not answer: no answer\n"


@pytest.mark.parametrize("seconds", ["-1", "3601", "x", "1.5"])
def test_a_timeout_that_cannot_be(seconds: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Status 2, wrong usage."""
    with pytest.raises(SystemExit) as caught:
        pause.main(["--timeout", seconds])
    assert caught.value.code == 2
    assert "--timeout" in capsys.readouterr().err
