"""Keys become paths below a folder and nowhere else, and paths become keys again."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from botod.daemon.commands.cp_names import (
    MAX_KEY_BYTES,
    Unfit,
    key_for,
    name_in,
    no_special_file,
    path_for,
)

FOLDER = "/a/folder"

AWKWARD = st.text(st.sampled_from("/.\0 ~\\:aä\n\u2028"), max_size=12)
"""Mostly what could lead somewhere else."""

PARTS = st.text(
    st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=20
).filter(lambda part: part not in {".", ".."})

PATHS = st.lists(PARTS, min_size=1, max_size=5).map("/".join)
PREFIXES = st.sampled_from(["", "p/", "a/b/", "/", "a//", "../"])


@settings(deadline=None)
@given(st.one_of(AWKWARD, st.text()))
def test_no_key_leads_out_of_the_folder(key: str) -> None:
    """It is a path below the folder, the one that it says, or it is refused."""
    try:
        path = path_for(FOLDER, key)
    except Unfit:
        return
    assert os.path.normpath(path) == path
    assert Path(path).is_relative_to(FOLDER)
    assert os.path.relpath(path, FOLDER) == key


@settings(deadline=None)
@given(AWKWARD, AWKWARD)
def test_two_keys_are_never_one_file(one: str, other: str) -> None:
    """Or one would be lost."""
    try:
        same = os.path.normpath(path_for(FOLDER, one)) == os.path.normpath(path_for(FOLDER, other))
    except Unfit:
        return
    assert same == (one == other)


@settings(deadline=None)
@given(PREFIXES, PATHS)
def test_a_path_comes_back_from_its_key(prefix: str, path: str) -> None:
    """Whatever stands before it."""
    key = key_for(prefix, path)
    assert path_for(FOLDER, key.removeprefix(prefix)) == f"{FOLDER}/{path}"


@pytest.mark.parametrize(
    "key",
    ["", "/", "/etc/passwd", "..", "../x", "a/../../x", "a/..", ".", "./a", "a/.", "a//b", "a/",
     "a\0b", "\ud800"],
)  # fmt: skip
def test_a_key_that_is_no_path_is_refused(key: str) -> None:
    """Among them those that a system would take for another path."""
    with pytest.raises(Unfit):
        path_for(FOLDER, key)


@pytest.mark.parametrize("key", ["...", "a/...", "~", "-", "..a", "a..", "C:\\x", " ", "a\nb"])
def test_an_odd_name_is_a_name(key: str) -> None:
    """Nothing is refused that leads nowhere."""
    assert path_for(FOLDER, key) == f"{FOLDER}/{key}"


def test_a_name_that_is_not_utf8_has_no_key() -> None:
    """Two such names could become one key."""
    with pytest.raises(Unfit, match="not UTF-8"):
        key_for("p/", os.fsdecode(b"caf\xe9"))


def test_a_key_has_a_length() -> None:
    """In bytes, with the prefix."""
    assert key_for("p/", "ä" * 511) == "p/" + "ä" * 511
    with pytest.raises(Unfit, match=f"{MAX_KEY_BYTES} may be"):
        key_for("p/", "ä" * 511 + "a")


def test_a_name_is_kept_in_another_folder() -> None:
    """Unless it is none."""
    assert name_in("d/", "k") == "d/k"
    for name in ("", ".."):
        with pytest.raises(Unfit):
            name_in("d", name)


def test_what_is_there_and_no_file_is_seen(tmp_path: Path) -> None:
    """A pipe would be written to, and wait for a reader for ever."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(Unfit, match="no regular file"):
        no_special_file(str(tmp_path / "pipe"))
    (tmp_path / "file").touch()
    for name in ("file", "", "none"):
        no_special_file(str(tmp_path / name))
