"""What words of the command line mean, and how names are shown."""

import pytest

from botod.daemon.commands.cp_places import (
    FilePlace,
    Place,
    S3Place,
    StandardPlace,
    Wrong,
    read_place,
    shown,
)


@pytest.mark.parametrize(
    ("word", "place"),
    [
        ("s3://b/k", S3Place("b", "k")),
        ("s3://b", S3Place("b", "")),
        ("s3://b/", S3Place("b", "")),
        ("s3://b//k/", S3Place("b", "/k/")),
        ("s3://b/ä?%20#", S3Place("b", "ä?%20#")),
        ("-", StandardPlace()),
        ("./-", FilePlace("./-")),
        ("a/s3://b", FilePlace("a/s3://b")),
        ("s3:/b", FilePlace("s3:/b")),
    ],
)
def test_a_word_is_read(word: str, place: Place) -> None:
    """Keys are taken as they stand, with nothing quoted in them."""
    assert read_place(word) == place


@pytest.mark.parametrize(
    ("word", "why"),
    [("", "empty"), ("s3://", "no bucket"), ("s3:///k", "no bucket"), ("s3://b/\udcff", "UTF-8")],
)
def test_a_word_that_makes_no_sense_is_refused(word: str, why: str) -> None:
    """With the reason."""
    with pytest.raises(Wrong, match=why):
        read_place(word)


def test_a_place_is_shown_as_it_was_written() -> None:
    """So that it can be copied from an error into a command."""
    for word in ("s3://b/k", "-", "some/file"):
        assert str(read_place(word)) == word


@pytest.mark.parametrize(
    ("place", "name", "folder"),
    [
        (S3Place("b", "x/k"), "k", "x/k/"),
        (S3Place("b", "x/"), "", "x/"),
        (S3Place("b", ""), "", ""),
    ],
)
def test_a_key_has_a_name_and_is_a_folder(place: S3Place, name: str, folder: str) -> None:
    """A folder ends in one slash, and the whole bucket is one without a name."""
    assert (place.name, place.folder) == (name, folder)


def test_what_moves_a_cursor_is_shown_as_an_escape() -> None:
    """Names come from others: they may not draw on a terminal, nor begin a line."""
    assert shown("a\x1b[2Jb\nc\udcff ü") == "a\\x1b[2Jb\\nc\\udcff ü"
