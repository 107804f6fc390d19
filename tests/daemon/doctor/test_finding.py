"""What a check has found, as a line."""

from botod.daemon.doctor.finding import bad, doubtful, good


def test_a_line() -> None:
    """How bad, what, the cause and the cure; never more than a line."""
    assert str(good("libcurl", "8.0 is there")) == "ok    libcurl      8.0 is there"
    assert (
        str(doubtful("clock", "it is\nslow", "set it")) == "warn  clock        it is slow; set it"
    )
    assert str(bad("descriptors", "few", "more")) == "FAIL  descriptors  few; more"
