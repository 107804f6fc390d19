"""Where services are: at AWS, by botocore's list of endpoints, or where a profile says.

boto's own list ends in 2018. botocore's has the regions since then, the endpoints with FIPS modules
and for IPv6, and the services that are in one region for all.
"""

import http.client
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import botocore.loaders
import botocore.regions
from botocore.exceptions import EndpointVariantError

from botod.daemon.profile_settings import ProfileSettings
from botod.daemon.services.operation import Endpoint


class NoEndpoint(Exception):
    """A service is not where a profile wants it."""


def endpoint_of(service: str, settings: ProfileSettings, prefix: str = "") -> Endpoint:
    """Where a service is for a profile. Raises NoEndpoint.

    prefix: by what AWS's endpoints call it, if that is not its name.
    """
    url = own_url(service, settings)
    if url is None:
        host, region = _aws(prefix or service, settings.region, settings.fips, settings.dual_stack)
        return Endpoint(host, http.client.HTTPS_PORT, True, region, False)
    parts = urlsplit(url)
    assert parts.hostname is not None, "checked when the configuration was read"
    is_secure = parts.scheme == "https"
    default_port = http.client.HTTPS_PORT if is_secure else http.client.HTTP_PORT
    return Endpoint(parts.hostname, parts.port or default_port, is_secure, settings.region, True)


def own_url(service: str, settings: ProfileSettings) -> str | None:
    """The URL that a profile has for a service; None: AWS's."""
    return settings.endpoints.get(service) or settings.endpoint or None


def region_mistake(region: str) -> str | None:
    """What is wrong with a region of AWS's; None: there is one of this name, or may be one day."""
    try:
        _resolver().get_partition_for_region(region)
    except botocore.exceptions.UnknownRegionError:
        return f"is no region of AWS's; there are: {', '.join(known_regions())}"
    return None


def known_regions() -> list[str]:
    """AWS's regions, as far as botocore's list has them."""
    resolver = _resolver()
    return sorted({
        name
        for partition in resolver.get_available_partitions()
        for name in resolver.get_available_endpoints("ec2", partition)
    })


@cache
def _aws(service: str, region: str, fips: bool, dual_stack: bool) -> tuple[str, str]:  # noqa: FBT001
    """AWS's host, and the region that signatures name. Raises NoEndpoint."""
    try:
        found: dict[str, Any] | None = _resolver().construct_endpoint(
            service, region, use_fips_endpoint=fips, use_dualstack_endpoint=dual_stack
        )
    except EndpointVariantError as error:
        raise NoEndpoint(f"{service} in {region}: {error}") from None
    if found is None:
        variants = " with FIPS" * fips + " with dual stack" * dual_stack
        raise NoEndpoint(
            f"AWS has no endpoint of {service}{variants} in {region!r}: mend region, or give one"
        )
    scope = found.get("credentialScope", {})
    return found["hostname"], scope.get("region", region)


@cache
def _resolver() -> Any:
    """botocore's list; some 60 ms and 7 MB, once."""
    return botocore.regions.EndpointResolver(botocore.loaders.Loader().load_data("endpoints"))
