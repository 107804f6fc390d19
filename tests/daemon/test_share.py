"""A worker's share of the host's limits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botod.daemon.config import Config, ConfigError
from botod.daemon.profile_settings import ProfileSettings
from botod.daemon.settings import DaemonSettings, LimitSettings, PoolSettings
from botod.daemon.share import Share, control_path, divided, told_share


@given(st.integers(0, 10**9), st.integers(1, 64))
def test_shares_add_up(limit: int, workers_num: int) -> None:
    """To the limit, and differ by one at most."""
    shares = [Share(number, workers_num).of(limit) for number in range(workers_num)]
    assert sum(shares) == limit
    assert max(shares) - min(shares) <= 1


def test_a_single_worker_has_all() -> None:
    """The very configuration."""
    config = Config()
    assert divided(config, Share(), "/run/x") is config
    assert not Share().has_control
    assert Share(is_told=True).has_control


def test_what_is_divided() -> None:
    """All that is meant for a host or a user; not what one connection or one message may."""
    profiles = {"default": ProfileSettings(warm_sockets={"sqs": 3}, slots_per_host=9)}
    pool = PoolSettings(slots_per_host=5)
    one, other = (
        divided(Config(pool=pool, profiles=profiles), Share(number, 2), "/run/x")
        for number in (0, 1)
    )
    assert (one.pool.slots_per_host, other.pool.slots_per_host) == (2, 3)
    warm = [part.profiles["default"].warm_sockets["sqs"] for part in (one, other)]
    assert warm == [1, 2]
    slots = [part.profiles["default"].slots_per_host for part in (one, other)]
    assert slots == [4, 5]
    whole = LimitSettings()
    assert (one.limits.jobs, one.limits.peers) == (whole.jobs // 2, whole.peers // 2)
    assert one.limits.in_flight_per_peer == whole.in_flight_per_peer
    assert one.limits.inline_bytes == whole.inline_bytes
    assert (one.limits.requests_per_s_per_uid, one.pool.total_slots) == (0, 0)
    assert one.daemon.keys_file == other.daemon.keys_file == "/run/x/keys"


def test_a_keys_file_that_is_named_stays() -> None:
    """Workers share that one."""
    config = Config(daemon=DaemonSettings(keys_file="/run/y/keys"))
    assert divided(config, Share(0, 2), "/run/x").daemon.keys_file == "/run/y/keys"


def test_limits_too_small_to_be_divided() -> None:
    """All of them are named."""
    config = Config(
        limits=LimitSettings(jobs=2, inline_bytes=2_000_000, buffered_bytes=4_000_000),
        pool=PoolSettings(slots_per_host=1),
    )
    with pytest.raises(ConfigError) as caught:
        divided(config, Share(0, 3), "/run/x")
    assert str(caught.value).splitlines() == [
        "[limits] jobs = 2: has to be at least the number of workers, 3, among which it is divided",
        (
            "[pool] slots_per_host = 1: has to be at least the number of workers, 3, "
            "among which it is divided"
        ),
        (
            "[limits] inline_bytes = 2000000: has to be at most a worker's share of "
            "buffered_bytes, 1333333"
        ),
    ]


def test_a_share_that_is_told() -> None:
    """By whoever starts the workers."""
    assert told_share({}) is None
    assert told_share({"BOTOD_WORKER": "1/2"}) == Share(1, 2, is_told=True)
    assert told_share({"BOTOD_WORKER": "0/1"}) == Share(0, 1, is_told=True)
    assert str(Share(1, 2)) == "worker 1 of 2"


@pytest.mark.parametrize("told", ["", "1", "2/2", "0/0", "-1/2", "0/65", "1/2 ", "a/b", "²/3"])
def test_a_share_that_cannot_be(told: str) -> None:
    """It says what it has to be."""
    with pytest.raises(ConfigError, match=r"BOTOD_WORKER=.*: has to be K/N"):
        told_share({"BOTOD_WORKER": told})


def test_where_a_worker_is_asked_by_itself() -> None:
    """In the runtime directory."""
    assert control_path("/run/botod", 1) == "/run/botod/worker-1.sock"
