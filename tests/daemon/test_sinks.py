"""Where an answer's body is written."""

import os
from pathlib import Path

import pytest

from botod.daemon.sinks import DoesNotFit
from support.bodies import LARGE, Rig, opened


@pytest.mark.parametrize("content", [b"", b"miaow", LARGE])
@pytest.mark.parametrize("says_length", [True, False])
def test_an_object_is_written_to_a_file(tmp_path: Path, content: bytes, says_length: bool) -> None:
    """From where it stands, and its position stays; the result says how much it was."""
    path = tmp_path / "f"
    with opened(path, os.O_RDWR, b"head") as fd:
        os.lseek(fd, 4, os.SEEK_SET)
        one = Rig(can_stream=True)
        result = one.get(content, fd, says_length=says_length)
        assert result == {"ContentLength": len(content), "ETag": "x"}
        assert os.lseek(fd, 0, os.SEEK_CUR) == 4
        assert one.bodies is not None
        assert not one.bodies.has_added
    assert path.read_bytes() == b"head" + content


def test_an_object_is_written_into_a_part_of_a_file(tmp_path: Path) -> None:
    """What is around it stays."""
    path = tmp_path / "f"
    with opened(path, os.O_WRONLY, b"abcdef") as fd:
        Rig().get(b"XY", fd, offset=2, length=2)
    assert path.read_bytes() == b"abXYef"


@pytest.mark.parametrize("says_length", [True, False])
def test_an_object_that_does_not_fit(tmp_path: Path, says_length: bool) -> None:
    """With its length known nothing is written; else not more than may be."""
    path = tmp_path / "f"
    with opened(path, os.O_RDWR, b"") as fd, pytest.raises(DoesNotFit, match="allows 1500000"):
        Rig().get(LARGE, fd, length=1_500_000, says_length=says_length)
    assert path.read_bytes() == (b"" if says_length else LARGE[: 1 << 20])
