"""Whom jobs talk to: a profile's service, as whoever signs; made on first use."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from functools import partial
from typing import Any

from botod.daemon.attempts import Attempts
from botod.daemon.budget import Budget
from botod.daemon.credentials import CHAIN, Keys, find_keys, sts_client
from botod.daemon.endpoints import endpoint_of, own_url
from botod.daemon.open_uploads import OpenUploads, ProfileUploads
from botod.daemon.profile_settings import ProfileSettings
from botod.daemon.refresher import Refresher
from botod.daemon.retries import Patience
from botod.daemon.roles import Actor, role_keys
from botod.daemon.services import SERVICES
from botod.daemon.services.operation import Endpoint, Home
from botod.daemon.setting_checks import proxy_of
from botod.pool import HeldKeys, Pool
from botod.pool.lane import Lane, Tls, TlsVersion
from botod.pool.origin import Origin

ACTORS_MAX = 1024
"""Roles taken for different callers whose keys are kept fresh; each is a request an hour."""

Kind = tuple[tuple[str, Any], ...]
"""Of a home, as it says."""

Connect = Callable[[Pool, HeldKeys, Endpoint], Any]

Find = Callable[[str, ProfileSettings], Keys]


class NoSuchProfile(Exception):
    """A job names a profile that the configuration does not have."""


class Upstream:
    """A service of one profile, signed by one holder of keys.

    home: of operations without rows; None: those of the service's table. keys: that holder. base:
    whose keys it takes to get these; None: nobody's. budget: how many retries the host may get.
    host: where it is, for messages. may_gather: jobs may travel together. uploads: the profile's.
    """

    def __init__(
        self,
        pool: Pool,
        service: str,
        *,
        home: Home | None,
        settings: ProfileSettings,
        endpoint: Endpoint,
        keys: Refresher,
        base: Refresher | None,
        budget: Budget,
        uploads: ProfileUploads,
    ) -> None:
        self.host = f"{endpoint.host}:{endpoint.port}"
        self.keys = keys
        self.budget = budget
        self.patience = Patience(settings.retries, settings.retry_max_s)
        self.user_agent = settings.user_agent
        self.may_gather = settings.sqs_batching
        self._base = base
        self._uploads = uploads
        self._pool = pool
        # Of operations without rows it holds their whole model: it goes once it is made use of.
        self._connect: Connect | None = SERVICES[service].connect if home is None else home.connect
        self._endpoint = endpoint
        self._attempts: Attempts | None = None

    def connection(self) -> Any:
        """boto's connection. Parks until there are keys. Raises NoCredentials."""
        return self.attempts().connection

    def attempts(self) -> Attempts:
        """How its requests are tried, on boto's connection; parks and raises as that does."""
        if self._attempts is not None and self.keys.has_keys:
            return self._attempts
        if self._base is not None and not self.keys.has_keys:
            self._base.keys()
        held = self.keys.keys()
        if self._attempts is None:
            assert self._connect is not None, "made twice"
            connection = self._connect(self._pool, held, self._endpoint)
            self._connect = None
            connection.retries_itself = False
            connection.open_uploads = self._uploads
            self._attempts = Attempts(
                connection, keys=self.keys, budget=self.budget, patience=self.patience
            )
        return self._attempts


class Profile:
    """One profile: its settings, whose connections are its own, and its keys."""

    def __init__(self, name: str, settings: ProfileSettings, find: Find) -> None:
        self.name = name
        self.settings = settings
        self.keys = Refresher(partial(find, name, settings), name=f"profile {name!r}")
        self.lane = Lane(name, _tls(settings), settings.slots_per_host or None)

    def succeed(self, old: "Profile") -> None:
        """Take over what an earlier profile of this name has and the settings leave as it is.

        Slots and connections, so that the host has no more of both for a while, and keys.
        """
        lane, mine = old.lane, self.lane
        if (lane.tls, lane.slots) == (mine.tls, mine.slots):
            self.lane = lane
        if _holder(old.settings) == _holder(self.settings):
            self.keys = old.keys

    def endpoint(self, service: str, home: Home | None = None) -> Endpoint:
        """Where a service is. Raises NoEndpoint."""
        settings = self.settings
        return replace(
            endpoint_of(service, settings, home),
            addressing=settings.addressing,
            signature=settings.signature,
            lane=self.lane,
            proxy=proxy_of(settings.proxy) if settings.proxy else None,
        )

    def sts(self, keys: Keys) -> Any:
        """botocore's client of STS, with keys of this profile. Blocks."""
        settings = self.settings
        return sts_client(
            keys,
            region=settings.region,
            url=own_url("sts", settings),
            ca_file=settings.ca_file or None,
        )


class Upstreams:
    """All profiles of the daemon.

    find: looks for a profile's keys; it blocks. uploads: all that are under way.
    """

    def __init__(
        self,
        pool: Pool,
        profiles: Mapping[str, ProfileSettings],
        find: Find | None = None,
        *,
        uploads: OpenUploads | None = None,
    ) -> None:
        self._pool = pool
        self._uploads = uploads or OpenUploads()
        self._find = find or keys_of
        self._profiles = {
            name: Profile(name, settings, self._find) for name, settings in profiles.items()
        }
        self._actors: dict[Actor, Refresher] = {}
        self._upstreams: dict[tuple[str, str, Actor | None, Kind | None], Upstream] = {}
        self._budgets: dict[str, Budget] = {}
        self._warm_hosts: set[str] = set()

    def start(self) -> None:
        """Begin to look for keys."""
        for profile in self._profiles.values():
            profile.keys.start()

    def close(self) -> None:
        for keys in self._refreshers():
            keys.close()

    def reload(self, profiles: Mapping[str, ProfileSettings]) -> None:
        """Have other profiles for the jobs that come from now on, and look for all keys anew.

        Jobs that run go on with what they have.
        """
        old, before = self._profiles, self._refreshers()
        self._profiles = {name: Profile(name, one, self._find) for name, one in profiles.items()}
        for name in old.keys() & self._profiles.keys():
            self._profiles[name].succeed(old[name])
        for actor in [
            one for one in self._actors if old[one.profile].settings != profiles.get(one.profile)
        ]:
            self._forget(actor)
        self._upstreams.clear()
        for keys in before:
            if keys not in self._refreshers():
                keys.close("its profile was changed")
        self.start()

    def find(
        self, profile: str, service: str, actor: Actor | None = None, home: Home | None = None
    ) -> Upstream:
        """Whom a job talks to. actor: the role it is done under; None: the profile itself.

        home: of an operation without a row.
        Raises NoSuchProfile, NoEndpoint.
        """
        key = (profile, service, actor, None if home is None else home.kind)
        known = self._upstreams.get(key)
        if known is not None:
            return known
        if profile not in self._profiles:
            raise NoSuchProfile(f"no profile {profile!r}; there are: {', '.join(self._profiles)}")
        found = self._profiles[profile]
        endpoint = found.endpoint(service, home)
        upstream = Upstream(
            self._pool,
            service,
            home=home,
            settings=found.settings,
            endpoint=endpoint,
            keys=found.keys if actor is None else self._actor_keys(found, actor),
            base=None if actor is None else found.keys,
            budget=self._budget(endpoint),
            uploads=self._uploads.of(profile),
        )
        self._upstreams[key] = upstream
        return upstream

    def warm_sockets(self) -> dict[Origin, int]:
        """How many connections to keep open, and to whom. May read files."""
        numbers = {
            profile.endpoint(service).origin: number
            for profile in self._profiles.values()
            for service, number in profile.settings.warm_sockets.items()
        }
        self._warm_hosts.update(origin.authority for origin in numbers)
        return numbers

    def hosts(self) -> list[str]:
        """The endpoints in use so far, as host:port; those of single buckets are not among them."""
        return sorted(self._warm_hosts | self._budgets.keys())

    def profile_keys(self) -> dict[str, dict[str, Any]]:
        """What is known of each profile's own keys, and whether there are any."""
        return {
            name: asdict(profile.keys.stats()) | {"has_keys": profile.keys.has_keys}
            for name, profile in self._profiles.items()
        }

    @property
    def profiles(self) -> Mapping[str, Profile]:
        """Those that there are now, by name."""
        return self._profiles

    def stats(self) -> dict[str, Any]:
        """What `botod status` shows of keys and retries; nothing of what is in the keys."""
        return {
            "keys": {keys.name: asdict(keys.stats()) for keys in self._refreshers()},
            "retries": {
                host: {
                    "spent_total": one.spent_total,
                    "refused_total": one.refused_total,
                    "left_num": round(one.tokens, 1),
                    "by_cause": dict(one.by_cause),
                }
                for host, one in self._budgets.items()
            },
        }

    def _refreshers(self) -> list[Refresher]:
        return [*(one.keys for one in self._profiles.values()), *self._actors.values()]

    def _actor_keys(self, profile: Profile, actor: Actor) -> Refresher:
        keys = self._actors.get(actor)
        if keys is None:
            if len(self._actors) >= ACTORS_MAX:
                self._forget(next(iter(self._actors)))
            base = profile.keys
            keys = self._actors[actor] = Refresher(
                lambda: role_keys(actor, base.found, profile.sts),
                name=f"user {actor.uid} by {actor.rule} on profile {profile.name!r}",
                is_private=True,
            )
        return keys

    def _forget(self, actor: Actor) -> None:
        """Keep the keys of one caller fresh no more: it asked first, so others asked since."""
        self._actors.pop(actor).close()
        for key in [key for key in self._upstreams if key[2] == actor]:
            del self._upstreams[key]

    def _budget(self, endpoint: Endpoint) -> Budget:
        host = f"{endpoint.host}:{endpoint.port}"
        if host not in self._budgets:
            self._budgets[host] = Budget(now=asyncio.get_running_loop().time())
        return self._budgets[host]


def _holder(settings: ProfileSettings) -> tuple[str, str]:
    """What tells whose keys a profile has."""
    return settings.aws_profile, settings.region


def keys_of(name: str, settings: ProfileSettings) -> Keys:
    """Look for a profile's keys. Blocks. Raises NoKeys."""
    return find_keys(
        settings.aws_profile or (CHAIN if name == "default" else name), settings.region
    )


def _tls(settings: ProfileSettings) -> Tls:
    return Tls(
        settings.ca_file or None,
        settings.client_cert or None,
        settings.client_key or None,
        TlsVersion(settings.tls_min_version),
    )
