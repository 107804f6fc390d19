"""Who may have what done."""

import os

import pytest

from botod.daemon.policy import OVERFLOW_UID, Policy
from botod.ipc.errors import Code, RpcError


def refused(policy: Policy, uid: int) -> RpcError:
    """The error for a user who may not."""
    with pytest.raises(RpcError) as caught:
        policy.check(uid, "s3.get_object")
    return caught.value


def test_the_daemon_s_own_user_may() -> None:
    """Whoever runs it."""
    Policy(1000).check(1000, "s3.get_object")
    Policy().check(os.geteuid(), "s3.get_object")


@pytest.mark.parametrize("uid", [0, 1001, -1, OVERFLOW_UID])
def test_nobody_else_may_not_even_root(uid: int) -> None:
    """The refusal names the user and the method."""
    error = refused(Policy(1000), uid)
    assert error.code == Code.ACCESS_DENIED
    assert error.message == f"user {uid} may not call s3.get_object"


def test_a_stranger_is_not_the_user_he_looks_like() -> None:
    """From inside a user namespace every stranger has the overflow uid, even if it is ours."""
    assert refused(Policy(OVERFLOW_UID), OVERFLOW_UID).code == Code.ACCESS_DENIED
