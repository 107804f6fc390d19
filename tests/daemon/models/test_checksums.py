"""Sums of bodies, where a model wants them."""

import base64
import hashlib
import zlib
from typing import Any

import pytest

from botod.daemon.models.checksums import checksum_headers
from botod.daemon.services import CATALOG
from botod.daemon.services.shapes import InvalidParam

BODY = b"hello"
MD5 = {"Content-MD5": base64.b64encode(hashlib.md5(BODY).digest()).decode()}


def headers(method: str, params: dict[str, Any], body: bytes | None = BODY, *said: str) -> Any:
    """What is added to an operation's request."""
    ask: Any = CATALOG.operation(*method.split(".")).run
    return checksum_headers(ask.model, params, said, body)


def test_what_wants_a_sum_gets_md5() -> None:
    """Which all of these operations take; the others get nothing."""
    assert headers("s3.put_bucket_tagging", {}) == MD5
    assert headers("s3control.put_bucket_policy", {}) == MD5
    assert headers("s3.get_bucket_tagging", {}) == {}
    assert headers("s3.upload_part", {}) == {}


def test_a_peer_s_own_sum_is_enough() -> None:
    """Under whichever algorithm; the name of one is no sum."""
    assert headers("s3.put_bucket_tagging", {}, BODY, "content-md5") == {}
    assert headers("s3.put_bucket_tagging", {}, BODY, "x-amz-checksum-crc64nvme") == {}
    assert headers("s3.put_bucket_tagging", {}, BODY, "x-amz-sdk-checksum-algorithm") == MD5
    assert headers("s3.put_bucket_tagging", {}, BODY, "x-amz-checksum-algorithm") == MD5


def test_the_algorithm_may_be_named() -> None:
    """Of those that are at hand."""
    crc = base64.b64encode(zlib.crc32(BODY).to_bytes(4, "big")).decode()
    algorithm = {"ChecksumAlgorithm": "CRC32"}
    assert headers("s3.put_bucket_tagging", algorithm) == {"x-amz-checksum-crc32": crc}
    sha = base64.b64encode(hashlib.sha256(BODY).digest()).decode()
    named = headers("s3.upload_part", {"ChecksumAlgorithm": "SHA256"})
    assert named == {"x-amz-checksum-sha256": sha}


@pytest.mark.parametrize(
    ("algorithm", "body", "words"),
    [("CRC64NVME", BODY, "give ChecksumCRC64NVME"), ("SHA256", None, "give ChecksumSHA256")],
)
def test_what_cannot_be_summed(algorithm: str, body: bytes | None, words: str) -> None:
    """An algorithm that is not there, or a body that is not."""
    with pytest.raises(InvalidParam, match=words):
        headers("s3.upload_part", {"ChecksumAlgorithm": algorithm}, body)
