"""Users and groups of the host, by name or by number, as an operator says them."""

import grp
import os
import pwd


class NoSuchName(Exception):
    """The host knows nobody of this name."""


def uid_of(name: str) -> int:
    """A user's number; a number need not be anybody's. Raises NoSuchName."""
    if name.isdecimal():
        return int(name)
    try:
        return pwd.getpwnam(name).pw_uid
    except (KeyError, ValueError):
        raise NoSuchName(f"there is no user {name!r}") from None


def gid_of(name: str) -> int:
    """A group's number; a number need not be anybody's. Raises NoSuchName."""
    if name.isdecimal():
        return int(name)
    try:
        return grp.getgrnam(name).gr_gid
    except (KeyError, ValueError):
        raise NoSuchName(f"there is no group {name!r}") from None


def groups_of(uid: int) -> frozenset[int]:
    """The groups that a user has after logging in; none of whom the host does not know."""
    try:
        user = pwd.getpwuid(uid)
    except (KeyError, OverflowError):
        return frozenset()
    return frozenset(os.getgrouplist(user.pw_name, user.pw_gid))
