"""Operations without rows give the data that boto3 gives, from servers of all five protocols.

Two servers are seeded alike, so that they make up the same ids. The same calls are made to one by
botod and to the other by boto3; what comes of each has to be the same.
"""

import datetime as dt
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, NamedTuple

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError as Boto3Error
from botocore.response import StreamingBody

from botod.daemon.commands.demo import server
from botod.ipc import ClientError, Connection
from support.daemons import BOUND_S, KEYS, running_daemon
from support.scripts import SCRIPTS, play

NEAR_S = 120
"""Both servers tell the time at which they were asked."""

MILLISECONDS = 1_600_000_000_000
"""A number above it is a time."""

ADDED = {
    "ChecksumAlgorithm", "ChecksumCRC32", "ChecksumType", "EncodingType",  # boto3 asks for these
    "BucketRegion", "ServerSideEncryption",  # the rows of S3 do not know these
}  # fmt: skip

MADE_UP = {"UploadId", "VersionId", "SessionToken"}
"""What the servers make up otherwise than by their seed: each is given its own."""


class Twins(NamedTuple):
    """Two servers that are one as the other, and a daemon that leads to the first."""

    botods: str
    boto3s: str
    connection: Connection

    def seed(self) -> None:
        """Have both make up the same from here on."""
        for url in (self.botods, self.boto3s):
            request = urllib.request.Request(f"{url}/moto-api/seed?a=42", method="POST")
            with urllib.request.urlopen(request, timeout=BOUND_S) as answer:
                assert answer.status == 200


@pytest.fixture(scope="module")
def twins() -> Iterator[Twins]:
    """Servers and a daemon for this file."""
    with ExitStack() as stack:
        urls = [stack.enter_context(server("botod.daemon.demo.aws")) for _ in range(2)]
        config = {
            "daemon": {"log_level": "warning"},
            "profile": {"default": {"endpoint": urls[0]}},
        }
        daemon = stack.enter_context(running_daemon(config))
        connection = stack.enter_context(daemon.connect())
        yield Twins(urls[0], urls[1], connection)
        assert daemon.stop() == 0


@pytest.mark.parametrize("service", SCRIPTS)
def test_a_service_gives_what_boto3_gives(twins: Twins, service: str) -> None:
    """Each call of its script: the same data, or the same error."""
    ours = twins.connection.client(service)
    theirs = boto3.client(
        service,
        endpoint_url=twins.boto3s,
        region_name="us-east-1",
        aws_access_key_id=KEYS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"],
        config=Config(
            s3={"addressing_style": "path"}, request_checksum_calculation="when_required",
            retries={"total_max_attempts": 1},
        ),
    )  # fmt: skip

    def do(operation: str, params: dict[str, Any]) -> Any:
        answer = outcome(ours, operation, params)
        expected = outcome(theirs, operation, replaced(params, names))
        found = list(unlike(answer, expected, operation, names))
        assert not found, found
        return answer

    names = {twins.botods: twins.boto3s}
    twins.seed()
    play(SCRIPTS[service](), do, "like")


def outcome(client: Any, operation: str, params: Any) -> Any:
    """What came of it; a body read, an error by its code, message and status."""
    try:
        result = getattr(client, operation)(**params)
    except (ClientError, Boto3Error) as error:
        response = error.response
        status = response["ResponseMetadata"]["HTTPStatusCode"]
        more = {key: item for key, item in response.items() if key not in OF_ERRORS}
        return {"code": response["Error"]["Code"], "status": status, **more}
    status = result.pop("ResponseMetadata")["HTTPStatusCode"]
    read = {
        key: item.read() if hasattr(item, "read") else item
        for key, item in result.items()
        if key not in ADDED
    }
    assert not any(isinstance(item, StreamingBody) for item in read.values())
    return {**read, "status": status}


OF_ERRORS = {"Error", "ResponseMetadata", "message", "Message", "Type", "Code"}


def replaced(value: Any, names: dict[str, str]) -> Any:
    """The same for the other server: its URL, and the names that it has made up."""
    if isinstance(value, dict):
        return {key: replaced(item, names) for key, item in value.items()}
    if isinstance(value, list):
        return [replaced(item, names) for item in value]
    if isinstance(value, str):
        for ours, theirs in names.items():
            value = value.replace(ours, theirs)
    return value


def unlike(ours: Any, theirs: Any, where: str, names: dict[str, str]) -> Iterator[str]:
    """Where two answers differ. names: what is to be replaced in ours; it grows."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for key in ours.keys() | theirs.keys():
            if key not in ours or key not in theirs:
                which = "botod's" if key in ours else "boto3's"
                yield f"{where}.{key}: only {which}: {ours.get(key, theirs.get(key))!r}"
            elif key in MADE_UP and isinstance(theirs[key], str):
                names[ours[key]] = theirs[key]
            else:
                yield from unlike(ours[key], theirs[key], f"{where}.{key}", names)
    elif isinstance(theirs, list) and isinstance(ours, list) and len(ours) == len(theirs):
        for number, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            yield from unlike(one, other, f"{where}[{number}]", names)
    elif not is_same(replaced(ours, names), theirs):
        yield f"{where}: {ours!r}, not {theirs!r}"


def is_same(ours: Any, theirs: Any) -> bool:
    """Of values; times are the same that are near."""
    if isinstance(theirs, dt.datetime):
        return abs((dt.datetime.fromisoformat(ours) - theirs).total_seconds()) < NEAR_S
    if isinstance(theirs, int) and theirs > MILLISECONDS:
        return isinstance(ours, int) and abs(ours - theirs) < NEAR_S * 1000
    return type(ours) is type(theirs) and bool(ours == theirs)
