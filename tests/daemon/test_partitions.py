"""AWS's partitions and regions."""

import botocore.regions
import pytest
from botocore.loaders import Loader

from botod.daemon.partitions import known_regions, partition_of, region_mistake


def test_the_regions_are_botocore_s() -> None:
    """All that its older list, of a hundred times the size, has for EC2."""
    older = botocore.regions.EndpointResolver(Loader().load_data("endpoints"))
    names = {
        name
        for partition in older.get_available_partitions()
        for name in older.get_available_endpoints("ec2", partition)
    }
    assert names <= set(known_regions())
    assert known_regions() == sorted(known_regions())


@pytest.mark.parametrize(
    ("region", "partition"),
    [
        ("us-east-1", "aws"),
        ("eu-north-9", "aws"),  # nobody has it yet, but it has a name as they have
        ("us-gov-west-1", "aws-us-gov"),
        ("cn-north-1", "aws-cn"),
        ("us-isob-east-1", "aws-iso-b"),
        ("eusc-de-east-1", "aws-eusc"),
    ],
)
def test_a_region_is_in_a_partition(region: str, partition: str) -> None:
    """Known ones, and what has a name as they have."""
    found = partition_of(region)
    assert found is not None
    assert found["id"] == partition
    assert region_mistake(region) is None


@pytest.mark.parametrize("region", ["atlantis", "us-east-1.evil", "eu-west-1/", "us_east_1"])
def test_a_region_that_is_none(region: str) -> None:
    """It is said to be none, with those there are."""
    mistake = region_mistake(region)
    assert mistake is not None
    assert mistake.startswith("is no region of AWS's; there are: af-south-1, ")
