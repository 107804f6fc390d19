"""The parts of a daemon get the settings of their names."""

from botod.daemon import building
from botod.daemon.config import Config
from botod.daemon.settings import LimitSettings
from botod.ipc.limits import ServerLimits


def test_limits_are_handed_on() -> None:
    """Each of the peer's limits comes from the setting of its name."""
    limits = building.server_limits(
        Config(limits=LimitSettings(peers=1, in_flight_per_peer=2, line_bytes=3, inline_bytes=4))
    )
    assert (limits.peers, limits.in_flight_per_peer) == (1, 2)
    assert (limits.message.line_bytes, limits.message.inline_bytes) == (3, 4)
    assert limits.unread_bytes == LimitSettings().unread_bytes


def test_the_wire_s_defaults_are_the_configuration_s() -> None:
    """What holds without a file is what the server would have by itself."""
    assert building.server_limits(Config()) == ServerLimits()


def test_boto_s_own_configuration_is_forgotten() -> None:
    """What stands in /etc/boto.cfg or ~/.boto changes nothing here."""
    boto_config = building.boto.config
    boto_config.add_section("Boto")
    boto_config.set("Boto", "num_retries", "77")
    building.forget_boto_config()
    assert boto_config.sections() == []
    assert boto_config.getint("Boto", "num_retries", 3) == 3


def test_shared_keys_only_where_there_is_a_file() -> None:
    """Without the setting nobody shares any."""
    assert building.make_shared_keys(Config()) is None
