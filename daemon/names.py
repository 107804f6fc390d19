"""What requests call themselves: the daemon's name, boto's, the profile's, and the caller's."""

import re

from botod.daemon.roles import user_name
from botod.pool.bridge import in_thread

import boto.connection

LINES_MAX = 4096
"""That are remembered, one for each user of each profile; a host has some hundred."""

_NOT_IN_TOKEN = re.compile(r"[^!#$%&'*+.^_`|~0-9A-Za-z-]")


class Names:
    """User-Agent lines. version: the daemon's."""

    def __init__(self, version: str) -> None:
        self._product = f"botod/{version} {boto.connection.UserAgent}"
        self._lines: dict[tuple[int, str], str] = {}

    def user_agent(self, uid: int, more: str) -> str:
        """What the requests of a user's job say. Parks at the first of a user.

        more: what the profile adds.
        """
        line = self._lines.get((uid, more))
        if line is None:
            user = in_thread(lambda: user_name(uid))
            # As a product, which is what User-Agent is made of; a name has other characters seldom.
            caller = f"user/{_NOT_IN_TOKEN.sub('-', user)}"
            line = f"{self._product} {caller} {more}".rstrip()
            if len(self._lines) >= LINES_MAX:
                self._lines.clear()
            self._lines[uid, more] = line
        return line
