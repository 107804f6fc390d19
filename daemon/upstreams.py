"""Whom jobs talk to: a connection of boto's a profile and service, made on first use."""

import http.client
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from botod.daemon.config import ProfileSettings
from botod.daemon.services import SERVICES
from botod.daemon.services.operation import Endpoint
from botod.pool import HeldKeys, Pool
from botod.pool.transfer import Origin


class NoSuchProfile(Exception):
    """A job names a profile that the configuration does not have."""


class NoCredentials(Exception):
    """There are no keys for a profile."""


class Upstreams:
    """All profiles of the daemon.

    find_keys: gives a profile's keys, or None; asked once a profile.
    """

    def __init__(
        self,
        pool: Pool,
        profiles: Mapping[str, ProfileSettings],
        find_keys: Callable[[str], HeldKeys | None],
    ) -> None:
        self._pool = pool
        self._profiles = profiles
        self._keys = {name: find_keys(name) for name in profiles}
        self._connections: dict[tuple[str, str], Any] = {}

    def without_keys(self) -> list[str]:
        """Profiles whose jobs will fail."""
        return [name for name, keys in self._keys.items() if keys is None]

    def connection(self, profile: str, service: str) -> Any:
        """boto's connection for a job. Raises NoSuchProfile, NoCredentials."""
        known = self._connections.get((profile, service))
        if known is not None:
            return known
        if profile not in self._profiles:
            raise NoSuchProfile(f"no profile {profile!r}; there are: {', '.join(self._profiles)}")
        keys = self._keys[profile]
        if keys is None:
            raise NoCredentials(
                f"the daemon has no AWS keys for profile {profile!r}: give it AWS_ACCESS_KEY_ID "
                f"and AWS_SECRET_ACCESS_KEY, or a section [{profile}] in its shared credentials "
                "file, and restart it"
            )
        settings = self._profiles[profile]
        connection = SERVICES[service].connect(self._pool, keys, _endpoint(settings, service))
        connection.num_retries = settings.retries
        self._connections[profile, service] = connection
        return connection

    def warm_sockets(self) -> dict[Origin, int]:
        """How many connections to keep open, and to whom."""
        wanted: dict[Origin, int] = {}
        for settings in self._profiles.values():
            for service, number in settings.warm_sockets.items():
                endpoint = _endpoint(settings, service)
                scheme = "https" if endpoint.is_secure else "http"
                origin = Origin(scheme, endpoint.host, endpoint.port)
                wanted[origin] = max(number, wanted.get(origin, 0))
        return wanted

    def host(self, profile: str, service: str) -> str:
        """Where a profile's service is, for messages."""
        endpoint = _endpoint(self._profiles[profile], service)
        return f"{endpoint.host}:{endpoint.port}"


def _endpoint(settings: ProfileSettings, service: str) -> Endpoint:
    url = settings.endpoints.get(service)
    own = url is not None
    if url is None:
        url = "https://" + SERVICES[service].default_host.format(region=settings.region)
    parts = urlsplit(url)
    assert parts.hostname is not None, "checked when the configuration was read"
    is_secure = parts.scheme == "https"
    default_port = http.client.HTTPS_PORT if is_secure else http.client.HTTP_PORT
    return Endpoint(parts.hostname, parts.port or default_port, is_secure, settings.region, own)
