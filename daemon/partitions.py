"""AWS's partitions and their regions, as botocore's list of them has it: 7 KB."""

import re
from functools import cache
from typing import Any

from botod.daemon.aws_data import aws_loader


@cache
def partitions() -> Any:
    """The list, as rules of endpoints want it."""
    return aws_loader().load_data("partitions")


def region_mistake(region: str) -> str | None:
    """What is wrong with a region of AWS's; None: there is one of this name, or may be one day."""
    if partition_of(region) is not None:
        return None
    return f"is no region of AWS's; there are: {', '.join(known_regions())}"


def partition_of(region: str) -> dict[str, Any] | None:
    """What the list has of a region's partition; None: it is no region, nor is named like one."""
    found = (
        one
        for one in partitions()["partitions"]
        if region in one["regions"] or re.match(one["regionRegex"], region)
    )
    return next(found, None)


def known_regions() -> list[str]:
    """AWS's regions, as far as the list has them; the names for all of a partition are none."""
    return sorted({
        name
        for one in partitions()["partitions"]
        for name in one["regions"]
        if not name.endswith("-global")
    })
