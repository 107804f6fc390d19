"""Which systemd unit, or else which cgroup, a peer belongs to, for the log and the audit record.

Two files under /proc are read for it: 13 us, once a connection and process.
"""

from botod.daemon.callers import cgroup_of, unit_of
from botod.ipc.exchange import Sender

REMEMBERED = 4096
"""Peers; the oldest are looked up again."""


class Units:
    """Remembers the unit of each peer, as it was when it was first asked for. proc: for tests."""

    def __init__(self, proc: str = "/proc") -> None:
        self._proc = proc
        self._known: dict[tuple[int, int, int], str | None] = {}

    def of(self, sender: Sender) -> str | None:
        """The name of the unit, or the path of the cgroup; None: it is gone, or is in none."""
        key = (sender.connection_id, sender.pid, sender.uid)
        try:
            return self._known[key]
        except KeyError:
            pass
        if len(self._known) >= REMEMBERED:
            del self._known[next(iter(self._known))]
        unit = self._known[key] = self._look(sender)
        return unit

    def _look(self, sender: Sender) -> str | None:
        cgroup = cgroup_of(sender.pid, sender.uid, proc=self._proc)
        if cgroup is None or cgroup == "/":
            return None
        return unit_of(cgroup) or cgroup
