"""Whom jobs talk to: profiles and services, as connections of boto's."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from botod.daemon.credentials import Keys, NoKeys
from botod.daemon.profile_settings import ProfileSettings
from botod.daemon.refresher import NoCredentials
from botod.daemon.retries import Patience
from botod.daemon.roles import Actor, Role
from botod.daemon.sites import NoEndpoint
from botod.daemon.upstreams import ACTORS_MAX, NoSuchProfile, Upstreams
from botod.pool import spawn
from botod.pool.lane import Tls, TlsVersion
from botod.pool.origin import Origin, Proxy
from support.loops import run, until
from support.runs import IDLE_POOL


def find(name: str, _settings: ProfileSettings) -> Keys:
    """Keys for all profiles, but for the one called poor."""
    if name == "poor":
        raise NoKeys("nobody gives it any")
    return Keys(f"key-of-{name}", "secret")


def upstreams(**profiles: ProfileSettings) -> Upstreams:
    """Upstreams whose keys cost nothing."""
    return Upstreams(IDLE_POOL, profiles or {"default": ProfileSettings()}, find)


async def connection(of: Upstreams, profile: str, service: str) -> Any:
    """boto's connection, as a job gets it."""
    return await spawn(of.find(profile, service).connection)


def test_each_profile_has_its_own_keys_region_and_patience() -> None:
    """What the configuration says about a profile is what its connections do."""

    async def scenario() -> None:
        both = upstreams(
            default=ProfileSettings(),
            backup=ProfileSettings(region="eu-central-1", retries=0, retry_max_s=2.0),
        )
        default = await connection(both, "default", "s3")
        backup = await connection(both, "backup", "s3")
        assert default.provider.access_key == "key-of-default"
        assert backup.provider.access_key == "key-of-backup"
        assert (default.auth_region_name, backup.auth_region_name) == ("us-east-1", "eu-central-1")
        assert (default.host, backup.host) == (
            "s3.amazonaws.com",
            "s3.eu-central-1.amazonaws.com",
        )
        assert not default.retries_itself
        assert both.find("default", "s3").patience == Patience(3, 20.0)
        assert both.find("backup", "sqs").patience == Patience(0, 2.0)
        both.close()

    run(scenario)


def test_a_connection_is_made_once() -> None:
    """One a profile and service; boto's constructors read files."""

    async def scenario() -> None:
        one = upstreams()
        assert one.find("default", "s3") is one.find("default", "s3")
        first = await connection(one, "default", "s3")
        assert await connection(one, "default", "s3") is first
        assert await connection(one, "default", "sqs") is not first
        one.close()

    run(scenario)


@pytest.mark.parametrize("service", ["s3", "sqs", "sdb"])
@pytest.mark.parametrize(
    ("settings", "host", "is_secure"),
    [
        ({"region": "eu-west-1"}, "{service}.eu-west-1.amazonaws.com:443", True),
        ({"endpoint": "http://minio:9000"}, "minio:9000", False),
    ],
)
def test_where_a_service_is(
    service: str, settings: dict[str, Any], host: str, is_secure: bool
) -> None:
    """At AWS, over TLS, or where the profile says; errors name it."""

    async def scenario() -> None:
        one = upstreams(default=ProfileSettings(**settings))
        found = await connection(one, "default", service)
        assert found.is_secure is is_secure
        assert f"{found.host}:{found.port}" == host.format(service=service)
        assert one.find("default", service).host == host.format(service=service)
        one.close()

    run(scenario)


def test_how_a_service_is_spoken_to(tmp_path: Path) -> None:
    """Roots, certificate, version of TLS, proxy, slots: of the profile's own connections only."""
    settings = ProfileSettings(
        ca_file=str(tmp_path / "ca"),
        client_cert=str(tmp_path / "cert"),
        tls_min_version="1.3",
        proxy="http://us%40er:pass@proxy:3128",
        slots_per_host=5,
    )

    async def scenario() -> None:
        both = upstreams(default=ProfileSettings(), other=settings)
        for service in ("s3", "sqs", "sdb"):
            plain = await connection(both, "default", service)
            found = await connection(both, "other", service)
            assert (plain.lane.name, plain.lane.tls, plain.lane.slots) == ("default", Tls(), None)
            assert plain._via is None
            assert (found.lane.name, found.lane.slots) == ("other", 5)
            assert found.lane.tls == Tls(
                settings.ca_file, settings.client_cert, None, TlsVersion.TLS_1_3
            )
            assert found._via == Proxy("proxy", 3128, "us@er", "pass")
        both.close()

    run(scenario)


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        ({}, "https://bucket.s3.amazonaws.com/k"),
        ({"addressing": "path"}, "https://s3.amazonaws.com/bucket/k"),
        ({"endpoint": "http://minio:9000"}, "http://minio:9000/bucket/k"),
        (
            {"endpoint": "http://minio:9000", "addressing": "virtual"},
            "http://bucket.minio:9000/k",
        ),
    ],
)
def test_where_a_bucket_is(settings: dict[str, Any], url: str) -> None:
    """In the host's name or in the path."""

    async def scenario() -> None:
        one = upstreams(default=ProfileSettings(**settings))
        s3 = await connection(one, "default", "s3")
        host = s3.calling_format.build_host(s3.server_name(s3.port), "bucket").removesuffix(":443")
        path = s3.calling_format.build_path_base("bucket", "k")
        assert f"{'https' if s3.is_secure else 'http'}://{host}{path}" == url
        one.close()

    run(scenario)


@pytest.mark.parametrize(
    ("signature", "service", "handler"),
    [
        ("v4", "s3", "S3HmacV4"),
        ("v4", "sqs", "HmacV4"),
        ("v4", "sdb", "QueryV2"),
        ("v2", "s3", "HmacV1"),
        ("v2", "sqs", "QueryV2"),
        ("v2", "sdb", "QueryV2"),
    ],
)
def test_how_a_service_is_signed(signature: str, service: str, handler: str) -> None:
    """Version 4, or 2 for old servers; SimpleDB knows 2 only."""

    async def scenario() -> None:
        one = upstreams(default=ProfileSettings(signature=signature))
        found = await connection(one, "default", service)
        assert type(found._auth_handler).__name__ == handler
        one.close()

    run(scenario)


def test_warm_sockets_go_where_jobs_go() -> None:
    """To each profile's hosts, by its own connections."""
    endpoints = {"s3": "http://Minio.Internal:9000", "sqs": "https://[::1]"}
    one = upstreams(
        default=ProfileSettings(endpoints=endpoints, warm_sockets={"s3": 1, "sqs": 4}),
        plain=ProfileSettings(region="eu-central-1", warm_sockets={"sqs": 2}),
        cold=ProfileSettings(region="us-west-1"),
    )
    found = {
        (str(Origin(*origin[:3])), origin.lane.name): number
        for origin, number in one.warm_sockets().items()
    }
    assert found == {
        ("http://minio.internal:9000", "default"): 1,
        ("https://[::1]:443", "default"): 4,
        ("https://sqs.eu-central-1.amazonaws.com:443", "plain"): 2,
    }


def test_an_unknown_profile_is_named() -> None:
    """And those that there are."""
    both = upstreams(default=ProfileSettings(), backup=ProfileSettings())
    with pytest.raises(NoSuchProfile, match="no profile 'bakcup'; there are: default, backup"):
        both.find("bakcup", "s3")


def test_a_region_that_is_none_is_said_to_be() -> None:
    """Before anything is asked."""
    with pytest.raises(NoEndpoint, match="'atlantis'"):
        upstreams(default=ProfileSettings(region="atlantis")).find("default", "sqs")


def test_a_profile_without_keys_says_why(caplog: pytest.LogCaptureFixture) -> None:
    """Its own jobs only."""

    async def scenario() -> None:
        both = upstreams(default=ProfileSettings(), poor=ProfileSettings())
        with pytest.raises(NoCredentials, match="no AWS keys for profile 'poor': nobody gives"):
            await connection(both, "poor", "s3")
        await connection(both, "default", "s3")
        both.close()

    run(scenario)
    caplog.clear()


def actor(uid: int, profile: str = "default") -> Actor:
    """Somebody who acts under a role."""
    return Actor(Role("arn:aws:iam::123456789012:role/r"), uid, "", "botod.1", profile)


def test_who_acts_under_a_role_has_a_connection_of_his_own(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Signed with the role's keys, which the profile's keys got; nobody else's."""

    def take(who: Actor, base: Keys | None, _client_of: Any) -> Keys:
        assert base is not None, "the profile's keys come first"
        return Keys(f"{base.access_key}/{who.uid}", "secret", "token")

    monkeypatch.setattr("botod.daemon.upstreams.role_keys", take)

    async def scenario() -> None:
        one = upstreams(default=ProfileSettings(), poor=ProfileSettings())
        found = {
            uid: await spawn(one.find("default", "s3", actor(uid)).connection) for uid in (1, 2)
        }
        assert [found[uid].provider.access_key for uid in (1, 2)] == [
            "key-of-default/1",
            "key-of-default/2",
        ]
        plain = await connection(one, "default", "s3")
        assert plain.provider.access_key == "key-of-default"
        assert one.find("default", "s3", actor(1)) is one.find("default", "s3", actor(1))
        with pytest.raises(NoCredentials, match="profile 'poor': nobody gives it any"):
            await spawn(one.find("poor", "s3", actor(1, "poor")).connection)
        names = list(one.stats()["keys"])
        assert "user 1 by botod.1 on profile 'default'" in names
        one.close()

    run(scenario)
    caplog.clear()


def test_roles_that_are_taken_no_more_are_forgotten() -> None:
    """Those of whoever asked first, once there are too many."""

    async def scenario() -> None:
        one = upstreams()
        first = one.find("default", "s3", actor(0))
        for uid in range(1, ACTORS_MAX + 1):
            one.find("default", "s3", actor(uid))
        assert len(one._actors) == ACTORS_MAX
        assert one.find("default", "s3", actor(0)) is not first
        one.close()

    run(scenario)


def test_profiles_with_one_server_share_its_budget_of_retries() -> None:
    """It is the server that has too much to do."""

    async def scenario() -> None:
        one = upstreams(
            a=ProfileSettings(endpoint="http://minio:9000"),
            b=ProfileSettings(endpoint="http://minio:9000"),
            c=ProfileSettings(endpoint="http://other:9000"),
        )
        budgets = [one.find(name, "s3").budget for name in "abc"]
        assert budgets[0] is budgets[1]
        assert budgets[0] is not budgets[2]
        assert one.stats()["retries"] == {
            host: {"spent_total": 0, "refused_total": 0, "left_num": 3.0, "by_cause": {}}
            for host in ("minio:9000", "other:9000")
        }
        assert one.hosts() == ["minio:9000", "other:9000"]
        await asyncio.sleep(0)

    run(scenario)


# A reload


def test_a_reload_changes_profiles_and_looks_for_keys_anew() -> None:
    """For jobs that come from now on; who holds keys that stay is told of newer ones."""
    found = {"default": "old", "other": "others"}

    def find_now(name: str, _settings: ProfileSettings) -> Keys:
        return Keys(found[name], "secret")

    async def scenario() -> None:
        one = Upstreams(IDLE_POOL, {"default": ProfileSettings()}, find_now)
        before = one.find("default", "s3")
        assert (await connection(one, "default", "s3")).provider.access_key == "old"
        found["default"] = "new"
        one.reload({"default": ProfileSettings(retries=0), "other": ProfileSettings()})
        await until(lambda: before.keys.version == 2)
        after = await connection(one, "default", "s3")
        assert after.provider.access_key == "new"
        assert (await connection(one, "other", "s3")).provider.access_key == "others"
        assert (before.patience, one.find("default", "s3").patience) == (
            Patience(3, 20.0),
            Patience(0, 20.0),
        )
        assert one._profiles["default"].endpoint("s3").origin == before._endpoint.origin
        one.close()

    run(scenario)


def test_keys_that_cannot_be_found_any_more_stay(caplog: pytest.LogCaptureFixture) -> None:
    """Those that are good go on signing."""
    failing: list[str] = []

    def find_now(_name: str, _settings: ProfileSettings) -> Keys:
        if failing:
            raise NoKeys("the file is gone")
        return Keys("old", "secret")

    async def scenario() -> None:
        one = Upstreams(IDLE_POOL, {"default": ProfileSettings()}, find_now)
        await connection(one, "default", "s3")
        failing.append("now")
        one.reload({"default": ProfileSettings()})
        keys = one.find("default", "s3").keys
        await until(lambda: keys.stats().failed_total == 1)
        assert (await connection(one, "default", "s3")).provider.access_key == "old"
        one.close()

    run(scenario)
    assert "the file is gone" in caplog.text
    caplog.clear()


@pytest.mark.parametrize(
    ("settings", "has_lane", "has_keys"),
    [
        (ProfileSettings(retries=1), True, True),
        (ProfileSettings(region="eu-central-1"), True, False),
        (ProfileSettings(aws_profile="x"), True, False),
        (ProfileSettings(tls_min_version="1.3"), False, True),
        (ProfileSettings(slots_per_host=3), False, True),
    ],
)
def test_what_a_changed_profile_keeps(
    settings: ProfileSettings, has_lane: bool, has_keys: bool
) -> None:
    """Slots and connections, and the keeper of its keys, unless the settings are about those."""

    async def scenario() -> None:
        one = upstreams()
        before = one._profiles["default"]
        one.reload({"default": settings})
        after = one._profiles["default"]
        assert (after.lane is before.lane, after.keys is before.keys) == (has_lane, has_keys)
        one.close()

    run(scenario)


def test_roles_of_a_changed_profile_are_taken_anew() -> None:
    """Those of others stay."""

    async def scenario() -> None:
        one = upstreams(default=ProfileSettings(), other=ProfileSettings())
        role = Role("arn:aws:iam::123456789012:role/r")
        actors = [Actor(role, 1, "", "rule", profile) for profile in ("default", "other")]
        before = [one.find(actor.profile, "s3", actor).keys for actor in actors]
        one.reload({"default": ProfileSettings(region="eu-central-1"), "other": ProfileSettings()})
        after = [one.find(actor.profile, "s3", actor).keys for actor in actors]
        assert [new is old for new, old in zip(after, before, strict=True)] == [False, True]
        one.reload({"other": ProfileSettings()})
        with pytest.raises(NoSuchProfile):
            one.find("default", "s3")
        one.close()

    run(scenario)
