"""Checksums: S3's, of a whole and of parts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botod.daemon.services.checksums import (
    ALGORITHMS,
    COMBINABLE,
    Checksum,
    compare,
    expected_of,
    header_of,
    headers,
    joined,
)
from botod.daemon.services.errors import BadAnswer

KNOWN = {
    "CRC64NVME": "rosUhgp5mIg=",
    "CRC32": "y/Q5Jg==",
    "CRC32C": "4waSgw==",
    "SHA1": "98O8HYCOBHMq32eZZczDTKeuNEE=",
    "SHA256": "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU=",
}
"""Of the text 123456789, as the catalogue of CRCs and coreutils have them."""


class Answer:
    """Headers of an answer."""

    def __init__(self, **values: str) -> None:
        self.fields = {name.replace("_", "-"): value for name, value in values.items()}


def of(algorithm: str, *pieces: bytes) -> Checksum:
    """A checksum that was shown these."""
    checksum = ALGORITHMS[algorithm]()
    for piece in pieces:
        checksum.update(piece)
    return checksum


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_they_are_s3s(algorithm: str) -> None:
    """However the bytes come."""
    assert of(algorithm, b"1234", b"", b"56789").text() == KNOWN[algorithm]


@given(st.lists(st.binary()), st.sampled_from(sorted(COMBINABLE)))
def test_that_of_a_whole_follows_from_those_of_its_parts(parts: list[bytes], name: str) -> None:
    """For any parts, empty ones too."""
    assert joined(name, [of(name, part) for part in parts]) == of(name, *parts).text()


def test_what_an_answer_says() -> None:
    """Of the whole object's bytes, not over the checksums of its parts."""
    found = expected_of(Answer(x_amz_checksum_crc32="y/Q5Jg=="))
    assert found is not None
    assert (found.algorithm, found.text) == ("CRC32", "y/Q5Jg==")
    for answer in (
        Answer(),
        Answer(x_amz_checksum_crc32="y/Q5Jg==-3"),
        Answer(x_amz_checksum_crc32="y/Q5Jg==", x_amz_checksum_type="COMPOSITE"),
    ):
        assert expected_of(answer) is None


def test_another_one_than_was_sent_is_an_error() -> None:
    """One that S3 does not tell, or that was not sent, is none."""
    sent = headers("CRC32", "y/Q5Jg==")
    assert sent == {"x-amz-sdk-checksum-algorithm": "CRC32", header_of("CRC32"): "y/Q5Jg=="}
    compare(sent, {"ChecksumCRC32": "y/Q5Jg==", "ChecksumSHA1": "x"})
    compare(sent, {})
    with pytest.raises(BadAnswer, match="CRC32"):
        compare(sent, {"ChecksumCRC32": "AAAAAA=="})
