"""What an operation touches: the names that rules of policy are written about, found in its params.

A name that cannot be told is None. It stands for any: it matches every `deny`, and of `allow` only
those on everything.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

Names = Iterable[str | None]

QUEUE_PATH = re.compile(r"/(?:[0-9A-Za-z_-]+/)?(?P<name>[0-9A-Za-z_-]{1,80}(?:\.fifo)?)")
"""The path of a queue's URL. Any other may be another queue to the server: %6f is an o to some."""

ALIASES = ("-s3alias", "--ol-s3")
"""Ends of names by which access points stand in for a bucket; AWS gives no bucket such a name."""

SELECT = re.compile(
    r"\s*select\s+(?:\*|itemName\(\)|count\(\*\)|(?!from\b)[a-z_$][\w$]*(?:\s*,\s*[a-z_$][\w$]*)*)"
    r"\s+from\s+(?:`(?P<quoted>[\w.-]+)`|(?P<plain>[a-z_$][\w$]*))(?!\S)(?:\s.*)?",
    re.ASCII | re.DOTALL | re.IGNORECASE,
)
"""Of SimpleDB's select what can be read in one way only; what is quoted among the names cannot."""


@dataclass(frozen=True)
class Resources:
    """How the resources of an operation are found.

    words: what their names are, for a person. patterns: what a pattern looks like that can match
    one; `find` gets the params as read, of which some may be missing.
    """

    words: str
    patterns: str
    find: Callable[[dict[str, Any]], Names]

    def may_match(self, pattern: str) -> bool:
        return pattern == "*" or re.fullmatch(self.patterns, pattern, re.DOTALL) is not None


def object_name(bucket: str | None, key: str | None) -> str | None:
    """An object's name; None if half of it is missing, or its bucket is an alias."""
    return None if key is None or bucket_name(bucket) is None else f"{bucket}/{key}"


def bucket_name(bucket: str | None) -> str | None:
    """A bucket's name; None: it is an alias, another name of a bucket that it does not tell."""
    return None if bucket is None or bucket.endswith(ALIASES) else bucket


def _object(params: dict[str, Any]) -> Names:
    return (object_name(params.get("Bucket"), params.get("Key")),)


def _presigned(params: dict[str, Any]) -> Names:
    return _object(params.get("Params", {}))


def _objects(params: dict[str, Any]) -> Names:
    items = params.get("Delete", {}).get("Objects") or [{}]
    return [object_name(params.get("Bucket"), item.get("Key")) for item in items]


def _bucket(params: dict[str, Any]) -> Names:
    return (bucket_name(params.get("Bucket")),)


def _queue(params: dict[str, Any]) -> Names:
    found = QUEUE_PATH.fullmatch(params.get("QueueUrl", ""))
    return (found and found["name"],)


def _queue_name(params: dict[str, Any]) -> Names:
    return (params.get("QueueName"),)


def _domain(params: dict[str, Any]) -> Names:
    return (params.get("DomainName"),)


def _selected(params: dict[str, Any]) -> Names:
    found = SELECT.fullmatch(params.get("SelectExpression", ""))
    return (found and (found["quoted"] or found["plain"]),)


_BUCKETS = r"[0-9A-Za-z._*-]+"
_OBJECTS = r"[0-9A-Za-z._*-]+/.+|[0-9A-Za-z._-]*\*[0-9A-Za-z._*-]*"
_NAMES = r"[0-9A-Za-z._*-]+"

UNTOLD = Resources("no name that its params tell", r"\*", lambda _params: (None,))
BUCKET = Resources("a bucket", _BUCKETS, _bucket)
OBJECT = Resources("a bucket/key", _OBJECTS, _object)
PRESIGNED = Resources("a bucket/key", _OBJECTS, _presigned)
OBJECTS = Resources("a bucket/key", _OBJECTS, _objects)
QUEUE = Resources("a queue's name", _NAMES, _queue)
QUEUE_NAME = Resources("a queue's name", _NAMES, _queue_name)
DOMAIN = Resources("a domain", _NAMES, _domain)
SELECTED = Resources("a domain", _NAMES, _selected)


def copied(source_of: Callable[[Any], tuple[str, str]]) -> Resources:
    """Of a copy: what is written, and what is read.

    source_of: bucket and key of a CopySource; it raises ValueError if that is none.
    """

    def find(params: dict[str, Any]) -> Names:
        try:
            source = object_name(*source_of(params["CopySource"]))
        except (KeyError, ValueError):
            source = None
        return (*_object(params), source)

    return Resources("a bucket/key", _OBJECTS, find)
