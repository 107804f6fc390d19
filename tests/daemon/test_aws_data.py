"""Files of data, as botocore ships them."""

import pytest
from botocore.exceptions import DataNotFoundError
from botocore.loaders import Loader

from botod.daemon.aws_data import aws_loader, newest


@pytest.mark.parametrize("kind", ["service-2", "endpoint-rule-set-1"])
def test_the_newest_is_found(kind: str) -> None:
    """Of services with several versions, the last one, packed or not."""
    loader = aws_loader()
    version = max(Loader().list_api_versions("ec2", kind))
    assert newest(loader, "ec2", kind) == f"ec2/{version}/{kind}"
    assert loader.load_data(newest(loader, "ec2", kind))["version"]


def test_words_are_left_out() -> None:
    """They are most of a file; the rest is as botocore's loader gives it."""
    name = newest(aws_loader(), "sqs", "endpoint-rule-set-1")
    ours, theirs = aws_loader().load_data(name), Loader().load_data(name)
    assert "documentation" in theirs["parameters"]["Region"]
    del theirs["parameters"]["Region"]["documentation"]
    assert ours["parameters"]["Region"] == theirs["parameters"]["Region"]


def test_a_file_that_is_not_there() -> None:
    """Is told apart from one that cannot be read."""
    with pytest.raises(DataNotFoundError):
        aws_loader().load_data("sqs/2012-11-05/nothing-1")
