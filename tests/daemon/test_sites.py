"""What a profile wants of AWS's endpoints."""

from botod.daemon.sites import Wanted


def test_what_is_wanted_in_words() -> None:
    """As errors have it."""
    assert str(Wanted("eu-west-1")) == "in 'eu-west-1'"
    assert str(Wanted("eu-west-1", True, True)) == "with FIPS with dual stack in 'eu-west-1'"
