"""Where the time of a job's requests went.

Four readings of the clock a transfer, 40 ns each, where asking curl would take a microsecond. They
are taken as curl tells of something; what it does not tell is when a name was resolved.
"""

import time

clock = time.monotonic


class Times:
    """Of all transfers of one job so far, in seconds; those that run at once are added up, too.

    queue_s: until there was a slot. connect_s: name, connection and TLS; on a connection that is
    warm, the time until curl's next turn. first_byte_s: from there to the head of the answer, so
    that what is sent is sent in it. body_s: until the answer was here, however slowly it was read.
    """

    queue_s = 0.0
    connect_s = 0.0
    first_byte_s = 0.0
    body_s = 0.0

    def add(self, other: "Times") -> None:
        """Take what a request took that this job was in with others."""
        self.queue_s += other.queue_s
        self.connect_s += other.connect_s
        self.first_byte_s += other.first_byte_s
        self.body_s += other.body_s

    def transferred(self, began: float, sent: float, answered: float, ended: float) -> None:
        """Take the times of one transfer on `clock`. Nought: it did not come so far."""
        self.connect_s += (sent or ended) - began
        if sent:
            self.first_byte_s += (answered or ended) - sent
        if answered:
            self.body_s += ended - answered
