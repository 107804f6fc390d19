"""Profiles and services as connections of boto's."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from botod.daemon.settings import ProfileSettings
from botod.daemon.upstreams import NoCredentials, NoSuchProfile, Upstreams
from botod.pool import HeldKeys
from botod.pool.transfer import Origin
from support.pools import KEYS

NO_POOL: Any = None
"""No request is made here."""


def upstreams(**profiles: ProfileSettings) -> Upstreams:
    """Upstreams whose profiles all have keys, but the one called `poor`."""
    return Upstreams(
        NO_POOL,
        profiles or {"default": ProfileSettings()},
        lambda name: None if name == "poor" else HeldKeys(f"key-of-{name}", KEYS[1]),
    )


def test_each_profile_has_its_own_keys_region_and_retries() -> None:
    """What the configuration says about a profile is what its connections do."""
    both = upstreams(
        default=ProfileSettings(), backup=ProfileSettings(region="eu-central-1", retries=0)
    )
    default, backup = both.connection("default", "s3"), both.connection("backup", "s3")
    assert (default.provider.access_key, backup.provider.access_key) == (
        "key-of-default",
        "key-of-backup",
    )
    assert (default.num_retries, backup.num_retries) == (3, 0)
    assert (default.auth_region_name, backup.auth_region_name) == ("us-east-1", "eu-central-1")
    assert (default.host, backup.host) == (
        "s3.us-east-1.amazonaws.com",
        "s3.eu-central-1.amazonaws.com",
    )


def test_a_connection_is_made_once() -> None:
    """One a profile and service; boto's constructors read files."""
    one = upstreams()
    assert one.connection("default", "s3") is one.connection("default", "s3")
    assert one.connection("default", "s3") is not one.connection("default", "sqs")


@pytest.mark.parametrize("service", ["s3", "sqs", "sdb"])
def test_aws_is_where_a_service_is_by_default(service: str) -> None:
    """Over TLS, in the profile's region."""
    one = upstreams(default=ProfileSettings(region="eu-central-1"))
    connection = one.connection("default", service)
    assert (connection.is_secure, connection.port) == (True, 443)
    assert one.host("default", service) == f"{service}.eu-central-1.amazonaws.com:443"


@pytest.mark.parametrize(
    ("url", "secure", "host"),
    [
        ("http://minio.internal:9000", False, "minio.internal:9000"),
        ("http://minio.internal", False, "minio.internal:80"),
        ("https://minio.internal/", True, "minio.internal:443"),
        ("HTTPS://Minio.Internal:8443", True, "minio.internal:8443"),
    ],
)
@pytest.mark.parametrize("service", ["s3", "sqs", "sdb"])
def test_an_endpoint_says_where_a_service_is(
    service: str, url: str, secure: bool, host: str
) -> None:
    """Scheme, host and port of the URL; the port may be left to the scheme."""
    one = upstreams(default=ProfileSettings(endpoints={service: url}))
    connection = one.connection("default", service)
    assert (connection.is_secure, f"{connection.host}:{connection.port}") == (secure, host)
    assert one.host("default", service) == host


def test_warm_sockets_go_where_jobs_go() -> None:
    """To each profile's hosts; where two profiles have one, the larger number holds."""
    endpoints = {"s3": "http://Minio.Internal:9000", "sqs": "https://[::1]"}
    one = upstreams(
        default=ProfileSettings(endpoints=endpoints, warm_sockets={"s3": 1, "sqs": 4}),
        backup=ProfileSettings(endpoints=endpoints, warm_sockets={"s3": 3}),
        plain=ProfileSettings(region="eu-central-1", warm_sockets={"sqs": 2}),
        cold=ProfileSettings(region="us-west-1"),
    )
    assert one.warm_sockets() == {
        Origin("http", "minio.internal", 9000): 3,
        Origin("https", "::1", 443): 4,
        Origin("https", "sqs.eu-central-1.amazonaws.com", 443): 2,
    }


def test_an_unknown_profile_is_named() -> None:
    """And those that there are."""
    both = upstreams(default=ProfileSettings(), backup=ProfileSettings())
    with pytest.raises(NoSuchProfile, match="no profile 'bakcup'; there are: default, backup"):
        both.connection("bakcup", "s3")


def test_a_profile_without_keys_says_what_to_do() -> None:
    """It is known from the start which those are."""
    both = upstreams(default=ProfileSettings(), poor=ProfileSettings())
    assert both.without_keys() == ["poor"]
    with pytest.raises(NoCredentials, match=r"'poor': give it AWS_ACCESS_KEY_ID .* \[poor\]"):
        both.connection("poor", "s3")


def test_keys_are_asked_for_once_a_profile() -> None:
    """At the start, never in the middle of a job."""
    asked: list[str] = []

    def find(name: str) -> HeldKeys:
        asked.append(name)
        return HeldKeys(*KEYS)

    profiles: Mapping[str, ProfileSettings] = {"a": ProfileSettings(), "b": ProfileSettings()}
    both = Upstreams(NO_POOL, profiles, find)
    for service in ("s3", "sqs", "s3"):
        both.connection("a", service)
    assert asked == ["a", "b"]


def test_making_a_connection_needs_no_greenlet() -> None:
    """The worker makes it before it starts the job: nothing in it may wait."""

    async def main() -> None:
        for service in ("s3", "sqs", "sdb"):
            upstreams().connection("default", service)

    asyncio.run(main())
