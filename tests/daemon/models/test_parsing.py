"""botocore's parsers, made strict."""

import datetime as dt
import json

import pytest
from botocore.parsers import PROTOCOL_PARSERS
from hypothesis import example, given
from hypothesis import strategies as st

from botod.daemon.models.parsing import MISREAD, make_parser, moment_text
from botod.daemon.services import CATALOG


@given(st.datetimes(min_value=dt.datetime(1970, 1, 2), max_value=dt.datetime(2100, 1, 1)))  # noqa: DTZ001
def test_times_in_each_of_aws_s_forms(moment: dt.datetime) -> None:
    """All are the same text, but for what a form leaves out."""
    moment = moment.replace(tzinfo=dt.UTC, microsecond=0)
    for form in (
        moment.isoformat(),
        moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
        moment.strftime("%a, %d %b %Y %H:%M:%S GMT"),
        moment.timestamp(),
        str(moment.timestamp()),
    ):
        assert moment_text(form) == moment.isoformat()


@pytest.mark.parametrize("protocol", PROTOCOL_PARSERS)
@example(document=b"[" + (1 << 40).to_bytes(8))  # CBOR: so many bytes follow, and none does
@given(document=st.binary(max_size=60) | st.text(max_size=40).map(str.encode))
def test_no_document_breaks_a_parser_otherwise(protocol: str, document: bytes) -> None:
    """Whatever comes is parsed, or one of the errors that are expected says why not."""
    parser = make_parser(protocol, {})
    method = {"ec2": "ec2.describe_vpcs", "query": "iam.list_users"}.get(protocol)
    ask = CATALOG.operation(*(method or "dynamodb.list_tables").split(".")).run
    shape = ask.reader.model.output_shape  # type: ignore[attr-defined]
    for status in (200, 400, 500):
        answer = {"status_code": status, "headers": {}, "body": document, "context": {}}
        try:
            parsed = parser.parse(answer, shape)
        except MISREAD:
            continue
        assert isinstance(parsed, dict)


def test_json_is_read_strictly() -> None:
    """Not taken for a message, as botocore takes what is none."""
    parser = make_parser("json", {})
    with pytest.raises(json.JSONDecodeError):
        parser._parse_body_as_json(b'{"a": ')
    assert parser._parse_body_as_json(b"") == {}
    assert parser._parse_body_as_json(b'{"a": NaN}') == {"a": "NaN"}
