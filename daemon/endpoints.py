"""Where services are: at AWS, by the rules that AWS has for each, or where a profile says.

boto's own list ends in 2018. The rules have the regions since then, the endpoints with FIPS modules
and for IPv6, and the services that are in one region for all.
"""

import http.client
from functools import lru_cache
from urllib.parse import urlsplit

from botod.daemon.endpoint_rules import load_rules
from botod.daemon.profile_settings import ProfileSettings
from botod.daemon.services import SERVICES
from botod.daemon.services.operation import CannotBeCarried, Endpoint, Home
from botod.daemon.sites import NoEndpoint, Site, Wanted

SITES_MAX = 1024
"""That are remembered: three services with rows, in more regions than there are."""


def endpoint_of(service: str, settings: ProfileSettings, home: Home | None = None) -> Endpoint:
    """Where a service is for a profile. Raises NoEndpoint.

    home: of operations without rows, which has the rules at hand; else they may have to be read.
    """
    url = own_url(service, settings)
    if url is None:
        wanted = _wanted(settings)
        site = _site(service, wanted) if home is None else home.site(wanted)
        return Endpoint(
            site.host,
            http.client.HTTPS_PORT,
            True,
            site.region,
            False,
            signing_name=site.signing_name,
            wanted=wanted,
        )
    parts = urlsplit(url)
    assert parts.hostname is not None, "checked when the configuration was read"
    is_secure = parts.scheme == "https"
    default_port = http.client.HTTPS_PORT if is_secure else http.client.HTTP_PORT
    return Endpoint(parts.hostname, parts.port or default_port, is_secure, settings.region, True)


def own_url(service: str, settings: ProfileSettings) -> str | None:
    """The URL that a profile has for a service; None: AWS's."""
    return settings.endpoints.get(service) or settings.endpoint or None


def look_up(settings: ProfileSettings) -> None:
    """Read the rules of the services with rows, so that no job has to: it takes 10 ms, once."""
    for service in SERVICES:
        if own_url(service, settings) is None:
            _found(service, _wanted(settings))


def _wanted(settings: ProfileSettings) -> Wanted:
    return Wanted(settings.region, settings.fips, settings.dual_stack)


def _site(service: str, wanted: Wanted) -> Site:
    found = _found(service, wanted)
    if isinstance(found, str):
        raise NoEndpoint(found)
    return found


@lru_cache(SITES_MAX)
def _found(service: str, wanted: Wanted) -> Site | str:
    """Where AWS has a service, or why it has not. The rules are read, and kept no longer."""
    try:
        return load_rules(service).site(wanted, {})
    except (NoEndpoint, CannotBeCarried) as error:
        return str(error)
