"""What requests call themselves: the daemon's name, boto's, the profile's, and the caller's."""

import re

from botod.daemon.roles import user_name
from botod.pool.bridge import in_thread

import boto.connection

USERS_MAX = 4096
"""Names of users that are remembered; a host has some hundred."""

_NOT_IN_TOKEN = re.compile(r"[^!#$%&'*+.^_`|~0-9A-Za-z-]")


class Names:
    """User-Agent lines. version: the daemon's."""

    def __init__(self, version: str) -> None:
        self._product = f"botod/{version} {boto.connection.UserAgent}"
        self._users: dict[int, str] = {}

    def user_agent(self, uid: int, more: str) -> str:
        """What the requests of a user's job say. Parks at the first of a user.

        more: what the profile adds.
        """
        user = self._users.get(uid)
        if user is None:
            if len(self._users) >= USERS_MAX:
                self._users.clear()
            user = self._users[uid] = in_thread(lambda: user_name(uid))
        # As a product, which is what User-Agent is made of; a name has other characters seldom.
        caller = f"user/{_NOT_IN_TOKEN.sub('-', user)}"
        return f"{self._product} {caller} {more}".rstrip()
