"""Where `botod cp` copies from and to: an object, a file, or standard input and output."""

from dataclasses import dataclass
from typing import NamedTuple

S3 = "s3://"


class Wrong(Exception):
    """What was asked for makes no sense; the text says what would."""


class S3Place(NamedTuple):
    """An object, or with -r all whose keys begin so."""

    bucket: str
    key: str

    def __str__(self) -> str:
        return f"{S3}{self.bucket}/{self.key}"

    @property
    def name(self) -> str:
        """What an object is called in its folder; empty: it is a folder itself."""
        return self.key.rpartition("/")[2]

    @property
    def folder(self) -> str:
        """How the keys begin that are in it as in a folder; empty: all of the bucket's."""
        return self.key if self.key.endswith("/") or not self.key else f"{self.key}/"


class FilePlace(NamedTuple):
    """A file or a folder."""

    path: str

    def __str__(self) -> str:
        return self.path

    @property
    def name(self) -> str:
        """What a file is called in its folder."""
        return self.path.rpartition("/")[2]


class StandardPlace(NamedTuple):
    """Standard input where something is copied from it, standard output where to it."""

    def __str__(self) -> str:
        return "-"


Place = S3Place | FilePlace | StandardPlace


@dataclass(frozen=True, slots=True)
class Task:
    """One thing to be copied.

    size: in bytes, as far as it is known. makes_folder: the target is a folder that is to be there.
    is_in_tree: it is one of many, and the folders above the target are made as well.
    """

    source: Place
    target: Place
    size: int | None = None
    makes_folder: bool = False
    is_in_tree: bool = False

    def __str__(self) -> str:
        return f"{self.source} to {self.target}"


def read_place(word: str) -> Place:
    """What a word of the command line means. Raises Wrong."""
    if word == "-":
        return StandardPlace()
    if not word.startswith(S3):
        if not word:
            raise Wrong("a name is empty; give a file, s3://bucket/key or -")
        return FilePlace(word)
    bucket, _slash, key = word.removeprefix(S3).partition("/")
    if not bucket:
        raise Wrong(f"{word} names no bucket; give s3://bucket/key")
    if not is_utf8(word):
        raise Wrong(f"{shown(word)} is not UTF-8, which buckets and keys are")
    return S3Place(bucket, key)


def is_utf8(text: str) -> bool:
    """Whether a text from the system was UTF-8: what was not stands in it as half a surrogate."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def shown(text: object) -> str:
    """Words for a terminal: what a name may hold to move its cursor is written as an escape."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in str(text)
    )
