"""How long a peer may take for what it owes us. No I/O; the time is an argument.

A peer owes the rest of a message that it began, reading of what waits for it, credit for the
streams it asked for; and one that asks for nothing need not be connected for ever.
"""

from enum import Enum

from botod.ipc.limits import ServerLimits

MIB = 1024 * 1024


class Overdue(Enum):
    """What a peer has not done in time."""

    SEND = "send the rest of a message"
    READ = "read its answers"
    GRANT = "grant credit for a stream"
    ASK = "ask for anything"
    NOTHING = "look again"


class Patience:
    """One peer's time limits.

    now: when it connected. sent_at: when something came last. took_at: when it read last, or what
    it has to read began to wait. looked_at: when its streams were looked at; those that do not move
    until the next look are over.
    """

    def __init__(self, limits: ServerLimits, *, now: float) -> None:
        self._limits = limits
        self._began_message: float | None = None
        self.sent_at = self.took_at = self.looked_at = now

    def whole(self) -> None:
        """A message is here whole."""
        self._began_message = None

    def half(self, now: float) -> bool:
        """The beginning of one is here; whether it was not before."""
        is_new = self._began_message is None
        if is_new:
            self._began_message = now
        return is_new

    def first_due(
        self,
        *,
        now: float,
        declared_bytes: int,
        is_sending: bool,
        waits_to_be_read: bool,
        has_streams: bool,
        may_be_idle: bool,
    ) -> tuple[float, Overdue]:
        """What is overdue first if the peer does nothing from now on, and when.

        declared_bytes: of the message that has begun. is_sending: it may still send.
        """
        limits, dues = self._limits, []
        if is_sending and self._began_message is not None:
            allowed_s = limits.half_sent_timeout_s + declared_bytes / MIB
            dues.append((self._began_message + allowed_s, Overdue.SEND))
        if waits_to_be_read:
            dues.append((self.took_at + limits.unread_timeout_s, Overdue.READ))
        if has_streams:
            dues.append((self.looked_at + limits.unread_timeout_s, Overdue.GRANT))
        if not dues and may_be_idle:
            since = max(self.sent_at, self.took_at)
            dues.append((since + limits.idle_timeout_s, Overdue.ASK))
        again = (now + limits.unread_timeout_s, Overdue.NOTHING)
        return min(dues, key=lambda due: due[0], default=again)
