"""Where services are."""

import pytest

from botod.daemon.endpoints import NoEndpoint, endpoint_of, own_url, region_mistake
from botod.daemon.profile_settings import ProfileSettings
from botod.daemon.services.operation import Endpoint
from botod.pool.transfer import Origin


@pytest.mark.parametrize(
    ("service", "region", "host", "signed_for"),
    [
        ("s3", "us-east-1", "s3.us-east-1.amazonaws.com", "us-east-1"),
        ("s3", "eu-central-1", "s3.eu-central-1.amazonaws.com", "eu-central-1"),
        ("sqs", "eu-west-1", "sqs.eu-west-1.amazonaws.com", "eu-west-1"),
        ("sqs", "cn-north-1", "sqs.cn-north-1.amazonaws.com.cn", "cn-north-1"),
        ("sqs", "us-gov-west-1", "sqs.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
        ("sdb", "us-east-1", "sdb.amazonaws.com", "us-east-1"),
        ("sdb", "eu-west-1", "sdb.eu-west-1.amazonaws.com", "eu-west-1"),
        ("iam", "eu-west-1", "iam.amazonaws.com", "us-east-1"),
        # Regions that boto's own list, of 2018, does not have.
        ("s3", "ap-southeast-5", "s3.ap-southeast-5.amazonaws.com", "ap-southeast-5"),
        ("sqs", "mx-central-1", "sqs.mx-central-1.amazonaws.com", "mx-central-1"),
        # And one that nobody has yet, but which has a name as they have.
        ("sqs", "eu-north-9", "sqs.eu-north-9.amazonaws.com", "eu-north-9"),
    ],
)
def test_aws_s_own(service: str, region: str, host: str, signed_for: str) -> None:
    """Old regions, new ones, other partitions, and services that are in one place for all."""
    found = endpoint_of(service, ProfileSettings(region=region))
    assert found == Endpoint(host, 443, True, signed_for, False)
    assert region_mistake(region) is None


@pytest.mark.parametrize(
    ("settings", "host"),
    [
        (ProfileSettings(dual_stack=True), "s3.dualstack.us-east-1.amazonaws.com"),
        (ProfileSettings(fips=True), "s3-fips.us-east-1.amazonaws.com"),
        (ProfileSettings(fips=True, dual_stack=True), "s3-fips.dualstack.us-east-1.amazonaws.com"),
    ],
)
def test_aws_s_other_endpoints(settings: ProfileSettings, host: str) -> None:
    """For IPv6, and with FIPS modules."""
    assert endpoint_of("s3", settings).host == host


@pytest.mark.parametrize(
    ("url", "secure", "host", "port"),
    [
        ("http://minio.internal:9000", False, "minio.internal", 9000),
        ("http://minio.internal", False, "minio.internal", 80),
        ("https://minio.internal/", True, "minio.internal", 443),
        ("HTTPS://Minio.Internal:8443", True, "minio.internal", 8443),
        ("http://[::1]:9000", False, "::1", 9000),
    ],
)
def test_one_s_own(url: str, secure: bool, host: str, port: int) -> None:
    """One for all services, or one for a service, which goes before it."""
    wanted = Endpoint(host, port, secure, "us-east-1", True)
    assert endpoint_of("s3", ProfileSettings(endpoints={"s3": url})) == wanted
    assert endpoint_of("sqs", ProfileSettings(endpoint=url)) == wanted
    both = ProfileSettings(endpoint="http://other", endpoints={"s3": url})
    assert endpoint_of("s3", both) == wanted
    assert endpoint_of("sqs", both).host == "other"
    assert own_url("sqs", ProfileSettings(endpoints={"s3": url})) is None
    assert wanted.origin == Origin("https" if secure else "http", host, port)


def test_a_region_that_is_none() -> None:
    """It is said to be none, with those there are."""
    mistake = region_mistake("atlantis")
    assert mistake is not None
    assert mistake.startswith("is no region of AWS's; there are: af-south-1, ")
    words = "AWS has no endpoint of sqs in 'atlantis': mend region, or give one"
    with pytest.raises(NoEndpoint, match=words):
        endpoint_of("sqs", ProfileSettings(region="atlantis"))


def test_a_variant_that_there_is_not() -> None:
    """The secret partitions have no IPv6."""
    words = "AWS has no endpoint of sqs with dual stack in 'us-iso-east-1'"
    with pytest.raises(NoEndpoint, match=words):
        endpoint_of("sqs", ProfileSettings(region="us-iso-east-1", dual_stack=True))
