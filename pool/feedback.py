"""How many transfers a host is given at once: fewer while it says that it has too much to do.

Each answer that says so, and each that does not come in time, takes one slot away; as many good
answers as there are slots give one back. So a host that refuses one request in twenty keeps some
twenty slots, and one that refuses a third keeps two or three, whatever the load. A host that is
well again has all its slots after some thousand answers. No I/O.
"""


class Feedback:
    """One host's. most: the slots it has while all is well."""

    def __init__(self, most: int) -> None:
        self.slots = most
        self.most = most
        self._credit = 0.0
        self.shrinks_total = 0

    def __repr__(self) -> str:
        return f"<Feedback {self.slots}/{self.most} slots>"

    def good(self) -> bool:
        """An answer that did not ask for less. Whether there is a slot more by it."""
        if self.slots == self.most:
            return False
        self._credit += 1 / self.slots
        if self._credit < 1:
            return False
        self._credit = 0.0
        self.slots += 1
        return True

    def bad(self) -> bool:
        """The host said that it has too much to do, or did not answer in time.

        Whether there is a slot less by it.
        """
        self._credit = 0.0
        if self.slots == 1:
            return False
        self.slots -= 1
        self.shrinks_total += 1
        return True

    def resize(self, most: int) -> None:
        """Have other slots at the most. Who has fewer now grows as before."""
        is_well = self.slots == self.most
        self.most = most
        self.slots = most if is_well else min(self.slots, most)
