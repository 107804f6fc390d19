"""Two words of the command line become tasks."""

from pathlib import Path

import pytest

from botod.daemon.commands.cp_names import Unfit
from botod.daemon.commands.cp_places import Place, Task, Wrong, read_place
from botod.daemon.commands.cp_plan import check_trees, one


def target_of(source: str, target: str) -> str:
    """Where one file goes."""
    return str(one(read_place(source), read_place(target)).target)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder `d`, a file `x`, and a link `to-d`."""
    monkeypatch.chdir(tmp_path)
    Path("d").mkdir()
    Path("x").touch()
    Path("to-d").symlink_to("d")


@pytest.mark.parametrize(
    ("source", "target", "goes_to"),
    [
        ("x", "s3://b/k", "s3://b/k"),
        ("x", "s3://b", "s3://b/x"),
        ("d/../x", "s3://b/p/", "s3://b/p/x"),
        ("-", "s3://b/k", "s3://b/k"),
        ("s3://b/p/k", "y", "y"),
        ("s3://b/p/k", "d", "d/k"),
        ("s3://b/p/k", "d/", "d/k"),
        ("s3://b/p/k", "to-d", "to-d/k"),
        ("s3://b/p/k", "none/y", "none/y"),
        ("s3://b/p/k", "-", "-"),
        ("s3://b/p/", "y", "y"),
        ("s3://b/p/k", "s3://c/", "s3://c/k"),
        ("s3://b/p/k", "s3://c/q", "s3://c/q"),
    ],
)
def test_a_folder_takes_the_sources_name(source: str, target: str, goes_to: str) -> None:
    """Whatever else is the name itself."""
    assert target_of(source, target) == goes_to


@pytest.mark.parametrize(
    ("source", "target", "error"),
    [
        ("d", "s3://b/k", Wrong),
        ("x/", "s3://b/k", NotADirectoryError),
        ("s3://b/k", "none/", FileNotFoundError),
        ("s3://b/k", "x/", FileNotFoundError),
        ("s3://b/p/", "d", Unfit),
        ("s3://b/..", "d", Unfit),
        ("s3://b/", "d", Wrong),
        ("s3://b/p/", "s3://c/", Wrong),
    ],
)
def test_what_has_no_target_is_refused(source: str, target: str, error: type[Exception]) -> None:
    """Before anything is asked for."""
    with pytest.raises(error):
        target_of(source, target)


def places(source: str, target: str) -> tuple[Place, Place]:
    """Two words, read."""
    return read_place(source), read_place(target)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("d", "s3://b"),
        ("to-d", "s3://b/p"),
        ("s3://b", "new"),
        ("s3://b", "new/"),
        ("s3://b", "d/new"),
        ("s3://b/p", "to-d"),
        ("s3://b/p", "s3://b/q"),
        ("s3://b/p", "s3://b/pa"),
        ("s3://b/p", "s3://b"),
        ("s3://b", "s3://c/p"),
    ],
)
def test_trees_that_can_be_copied(source: str, target: str) -> None:
    """Nothing is made yet."""
    check_trees(*places(source, target))
    assert {path.name for path in Path().rglob("*")} == {"d", "x", "to-d"}


@pytest.mark.parametrize(
    ("source", "target", "error"),
    [
        ("none", "s3://b", FileNotFoundError),
        ("x", "s3://b", Wrong),
        ("s3://b", "x", NotADirectoryError),
        ("s3://b", "none/new", FileNotFoundError),
        ("s3://b/p", "s3://b/p", Wrong),
        ("s3://b/p", "s3://b/p/q", Wrong),
        ("s3://b", "s3://b/q", Wrong),
    ],
)
def test_trees_that_cannot(source: str, target: str, error: type[Exception]) -> None:
    """Among them those that would be copied into themselves without end."""
    with pytest.raises(error):
        check_trees(*places(source, target))


def test_a_task_is_shown_by_its_ends() -> None:
    """In errors."""
    assert str(Task(read_place("x"), read_place("s3://b/k"))) == "x to s3://b/k"
