"""Users and groups, as an operator says them."""

import grp
import os
import pwd
from collections.abc import Callable

import pytest

from botod.daemon.users import NoSuchName, gid_of, groups_of, uid_of


def test_by_name_and_by_number() -> None:
    """A number need not be anybody's."""
    me = pwd.getpwuid(os.geteuid())
    assert uid_of(me.pw_name) == uid_of(str(me.pw_uid)) == me.pw_uid
    assert gid_of(grp.getgrgid(me.pw_gid).gr_name) == gid_of(str(me.pw_gid)) == me.pw_gid
    assert uid_of("4000000000") == gid_of("4000000000") == 4_000_000_000


@pytest.mark.parametrize(("read", "kind"), [(uid_of, "user"), (gid_of, "group")])
@pytest.mark.parametrize("name", ["no-such-name", "", "a\0b"])
def test_who_there_is_not(read: Callable[[str], int], kind: str, name: str) -> None:
    """It is said what was looked for."""
    with pytest.raises(NoSuchName, match=f"there is no {kind}"):
        read(name)


def test_the_groups_of_a_user() -> None:
    """The own one among them; none of whom nobody knows, or can be."""
    me = pwd.getpwuid(os.geteuid())
    assert me.pw_gid in groups_of(me.pw_uid)
    assert groups_of(4_000_000_000) == groups_of(2**70) == frozenset()
