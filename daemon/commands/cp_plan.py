"""What is copied where, from two words of the command line."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from itertools import islice
from typing import Any, NamedTuple

from botod.daemon.commands.cp_names import Unfit, is_folder, key_for, name_in, path_for
from botod.daemon.commands.cp_places import (
    FilePlace,
    Place,
    S3Place,
    StandardPlace,
    Task,
    Wrong,
    shown,
)
from botod.daemon.commands.cp_walk import Found, PassedOver, walk
from botod.ipc.aio import Client

WALKED_AT_ONCE = 256
"""Names of files that one turn in a thread gathers: a hop into it costs as much as some of them."""


class Refused(NamedTuple):
    """What is not copied, and why."""

    what: str
    why: str


Planned = Task | Refused


def one(source: Place, target: Place) -> Task:
    """The task without -r. Raises Wrong, Unfit, and OSError for a folder that is not there."""
    check_pair(source, target)
    if isinstance(source, FilePlace):
        if is_folder(source.path):
            raise Wrong(f"{shown(source)} is a folder; give -r to copy what is in it")
        if source.path.endswith("/"):
            raise NotADirectoryError(0, "no folder, though its name ends in /")
    if isinstance(source, S3Place) and not source.key:
        raise Wrong(f"{source} names no key; give -r to copy all that is in the bucket")
    return Task(source, _named(source, target))


def _named(source: Place, target: Place) -> Place:
    """The target, with the source's name if it is a folder."""
    if isinstance(target, S3Place) and (not target.key or target.key.endswith("/")):
        if isinstance(source, StandardPlace) or not source.name:
            raise Wrong(f"{shown(source)} has no name; give the key to copy to")
        return S3Place(target.bucket, key_for(target.key, source.name))
    if isinstance(target, FilePlace) and isinstance(source, S3Place):
        if is_folder(target.path):
            return FilePlace(name_in(target.path, source.name))
        if target.path.endswith("/"):
            raise FileNotFoundError(0, "there is no such folder")
    return target


def check_pair(source: Place, target: Place) -> None:
    """Raise Wrong unless an object is on one side at least."""
    if not isinstance(source, S3Place) and not isinstance(target, S3Place):
        raise Wrong("source or target has to be s3://bucket/key; cp of the system copies files")


def check_trees(source: Place, target: Place) -> None:
    """Raise for what cannot be done with -r: Wrong, and OSError for folders that are not there."""
    check_pair(source, target)
    if isinstance(source, StandardPlace) or isinstance(target, StandardPlace):
        raise Wrong("- is one file; leave out -r")
    if isinstance(source, FilePlace) and not is_folder(source.path):
        os.stat(source.path)  # noqa: PTH116 - raises if there is nothing
        raise Wrong(f"{shown(source)} is no folder; leave out -r")
    if isinstance(target, FilePlace) and not is_folder(target.path):
        _check_can_be_made(target.path.rstrip("/"))
    if isinstance(source, S3Place) and isinstance(target, S3Place):
        _check_apart(source, target)


def _check_can_be_made(path: str) -> None:
    if os.path.lexists(path):
        raise NotADirectoryError(0, "no folder")
    if not is_folder(os.path.dirname(path) or "."):  # noqa: PTH120
        raise FileNotFoundError(0, "there is no folder to make it in")


def _check_apart(source: S3Place, target: S3Place) -> None:
    """What is copied below its source would be found and copied again, without end."""
    if source.bucket == target.bucket and target.folder.startswith(source.folder):
        raise Wrong(f"{shown(target)} is in {shown(source)}; copy to somewhere else")


def many(source: Place, target: Place, client: Client) -> AsyncIterator[Planned]:
    """The tasks with -r, as they are found. Iterated, raises OSError, RpcError, Unfit."""
    if isinstance(source, S3Place):
        return _of_bucket(source, target, client)
    assert isinstance(source, FilePlace), "check_trees lets nothing else pass"
    assert isinstance(target, S3Place), "check_trees lets nothing else pass"
    return _of_folder(source.path, target)


async def _of_folder(folder: str, target: S3Place) -> AsyncIterator[Planned]:
    async for item in _in_thread(walk(folder)):
        yield _upload(folder, item, target)


def _upload(folder: str, item: Found | PassedOver, target: S3Place) -> Planned:
    path = os.path.join(folder, item.relative)  # noqa: PTH118
    if isinstance(item, PassedOver):
        return Refused(path, item.why)
    try:
        key = key_for(target.folder, item.relative)
    except Unfit as error:
        return Refused(path, str(error))
    return Task(FilePlace(path), S3Place(target.bucket, key), is_in_tree=True)


async def _in_thread(found: Iterator[Any]) -> AsyncIterator[Any]:
    """What an iterator gives that may block, some at a time."""
    while batch := await asyncio.to_thread(lambda: list(islice(found, WALKED_AT_ONCE))):
        for item in batch:
            yield item


async def _of_bucket(source: S3Place, target: Place, client: Client) -> AsyncIterator[Planned]:
    is_empty = True
    paginator = client.get_paginator("list_objects_v2")
    async for page in paginator.paginate(Bucket=source.bucket, Prefix=source.folder):
        for item in page["Contents"]:
            is_empty = False
            planned = _from_key(source, item["Key"], item["Size"], target)
            if planned is not None:
                yield planned
    if is_empty and source.folder:
        raise Unfit(f"there is nothing whose key begins with {source.folder}")


def _from_key(source: S3Place, key: str, size: int, target: Place) -> Planned | None:
    """None: it is the folder itself, which is there or will be."""
    relative = key.removeprefix(source.folder)
    found = S3Place(source.bucket, key)
    if isinstance(target, S3Place):
        copy = S3Place(target.bucket, target.folder + relative)
        return Task(found, copy, size, is_in_tree=True) if copy.key else None
    assert isinstance(target, FilePlace), "check_trees lets nothing else pass"
    is_marker = key.endswith("/") and not size
    if is_marker and not relative:
        return None
    try:
        path = path_for(target.path, relative.removesuffix("/") if is_marker else relative)
    except Unfit as error:
        return Refused(str(found), str(error))
    return Task(found, FilePlace(path), size, makes_folder=is_marker, is_in_tree=True)
