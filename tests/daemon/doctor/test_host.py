"""What the settings need of the host."""

from botod.daemon.config import Config
from botod.daemon.doctor.host import SPARE_DESCRIPTORS, descriptors_needed
from botod.daemon.profile_settings import ProfileSettings
from botod.daemon.settings import LimitSettings, PoolSettings


def test_descriptors_for_the_settings() -> None:
    """Peers, what is passed, and slots: of each profile, or the total if there is one."""
    limits = LimitSettings(peers=100, descriptors_per_uid=10)
    profiles = {"default": ProfileSettings(), "big": ProfileSettings(slots_per_host=30)}
    config = Config(limits=limits, pool=PoolSettings(slots_per_host=5), profiles=profiles)
    assert descriptors_needed(config) == 100 + 10 + 5 + 30 + SPARE_DESCRIPTORS
    bounded = Config(limits=limits, pool=PoolSettings(total_slots=8), profiles=profiles)
    assert descriptors_needed(bounded) == 100 + 10 + 8 + SPARE_DESCRIPTORS
