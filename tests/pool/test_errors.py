"""What boto may do with each error of the pool."""

import subprocess
import sys

import pytest

from botod.pool import errors


@pytest.mark.parametrize("kind", [errors.NotSent, errors.ConnectTimeout, errors.Interrupted])
def test_what_may_be_tried_again_is_a_connection_error(kind: type[Exception]) -> None:
    """boto's loop retries OSErrors."""
    assert issubclass(kind, ConnectionError)
    assert issubclass(kind, errors.PoolError)


@pytest.mark.parametrize(
    "kind",
    [
        errors.OutcomeUnknown,
        errors.PoolFull,
        errors.PoolTimeout,
        errors.PoolClosed,
        errors.DeadlineExceeded,
        errors.Unsupported,
        errors.NotInGreenlet,
    ],
)
def test_what_must_not_be_tried_again_is_none_of_boto_s_retryable_ones(
    kind: type[Exception],
) -> None:
    """They go straight through boto's loop to the caller."""
    assert not issubclass(kind, OSError)


def test_the_errors_import_nothing() -> None:
    """Every module may import them."""
    code = (
        "import sys; before = set(sys.modules); "
        f"exec(compile(open({errors.__file__!r}).read(), 'errors', 'exec')); "
        "assert set(sys.modules) == before"
    )
    subprocess.run([sys.executable, "-I", "-S", "-c", code], check=True)
