"""How a command ends that asks a daemon."""

from collections.abc import Callable

import pytest

from botod.daemon.asking import asked
from botod.ipc.errors import Code, DaemonUnavailable, RpcError


def raising(error: Exception) -> Callable[[], int]:
    """What asks, and fails."""

    def ask() -> int:
        raise error

    return ask


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (DaemonUnavailable("no daemon answers"), 3, "botod: no daemon answers\n"),
        (RpcError(Code.ACCESS_DENIED, "no"), 1, "botod: no (-32003)\n"),
    ],
)
def test_errors(
    error: Exception, status: int, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line, and a status for each kind."""
    assert asked(raising(error)) == status
    assert capsys.readouterr().err == line


def test_an_answer() -> None:
    """Its status is the command's; a bug is not hidden."""
    assert asked(lambda: 7) == 7
    with pytest.raises(KeyError):
        asked(raising(KeyError()))
