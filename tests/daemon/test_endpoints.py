"""Where services are."""

import pytest

from botod.daemon import endpoints
from botod.daemon.endpoints import endpoint_of, look_up, own_url
from botod.daemon.profile_settings import ProfileSettings
from botod.daemon.services.operation import Endpoint
from botod.daemon.sites import NoEndpoint, Wanted
from botod.pool.origin import Origin


@pytest.mark.parametrize(
    ("service", "region", "host", "signed_for"),
    [
        ("s3", "us-east-1", "s3.amazonaws.com", "us-east-1"),
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
    assert (found.host, found.port, found.is_secure) == (host, 443, True)
    assert (found.region, found.own) == (signed_for, False)
    assert found.wanted == Wanted(region)


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
    """Nothing is anywhere in it."""
    words = "AWS has no endpoint of sqs in 'atlantis': mend region, or give one"
    with pytest.raises(NoEndpoint, match=words):
        endpoint_of("sqs", ProfileSettings(region="atlantis"))


def test_a_variant_that_there_is_not() -> None:
    """The rules say why."""
    words = "AWS has no endpoint of s3 with FIPS in 'cn-north-1': Partition does not support FIPS"
    with pytest.raises(NoEndpoint, match=words):
        endpoint_of("s3", ProfileSettings(region="cn-north-1", fips=True))


def test_a_service_without_rules() -> None:
    """It has to be given an endpoint."""
    with pytest.raises(NoEndpoint, match="no rules tell where, so give one"):
        endpoint_of("nothing", ProfileSettings())


def test_nothing_is_read_for_a_job(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rules of services with rows were read with the configuration."""
    settings = ProfileSettings(region="sa-east-1")
    look_up(settings)
    monkeypatch.delattr(endpoints, "load_rules")
    for service in ("s3", "sdb", "sqs"):
        assert endpoint_of(service, settings).host == f"{service}.sa-east-1.amazonaws.com"
    with pytest.raises(NameError):
        endpoint_of("sqs", ProfileSettings(region="sa-east-1", fips=True))
    look_up(ProfileSettings(endpoint="http://127.0.0.1:1", fips=True))  # which needs no rules
