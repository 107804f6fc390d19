"""Python's cycle collector, as a daemon wants it.

What is imported stays: it is looked through no more, which took 50 ms each time, in which the loop
stood still. And of a job nothing is in a cycle: with Python's own threshold the collector looked
for some after every second job, a tenth of what a job costs.
"""

import gc

THRESHOLDS = (5_000, 20, 100)
"""New objects that may be in a cycle before they are looked through, and how many times that is
done before older ones are. 64 jobs under way have some 5,000."""


def settle() -> None:
    """Leave alone what is there now. Workers that are forked afterwards go on sharing it."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
