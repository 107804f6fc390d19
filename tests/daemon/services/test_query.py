"""The query protocol: forms out, results and request ids back."""

from typing import Any
from urllib.parse import unquote_plus

import pytest

from botod.daemon.services import query
from support.http_server import Exchange, http_server
from support.services import REQUEST_ID, CannedService, form_of, query_xml, reply, xml

from boto.exception import BotoServerError


@pytest.mark.parametrize(
    ("value", "text"),
    [(True, "true"), (False, "false"), (0, "0"), (10**20, "1" + "0" * 20), ("a b", "a b")],
)
def test_values_as_texts(value: object, text: str) -> None:
    """Flags are words, numbers are digits."""
    assert query.as_text(value) == text
    assert query.as_text(b"\x00\xff") == "AP8="


def test_forms() -> None:
    """What is not there is left out, lists count from one, prefixes end in a dot."""
    assert query.scalars({"A": 1, "B": "", "C": None}, "A", "B", "X") == {"A": "1", "B": ""}
    assert query.numbered("N", ["a", True]) == {"N.1": "a", "N.2": "true"}
    assert query.numbered("N", []) == {}
    assert query.prefixed("P.1", {"A": "1", "B.2": "2"}) == {"P.1.A": "1", "P.1.B.2": "2"}


def test_the_request_id_of_the_document_counts() -> None:
    """It is the service's own; the header's may be a proxy's."""
    aws = CannedService(query_xml("ListQueues", request_id="inside"))
    assert aws.call("sqs.list_queues")["ResponseMetadata"]["RequestId"] == "inside"


def test_without_one_the_header_s_counts() -> None:
    """Some servers leave the metadata out."""
    aws = CannedService(xml("<ListQueuesResponse/>"))
    assert aws.call("sqs.list_queues")["ResponseMetadata"]["RequestId"] == REQUEST_ID


def test_a_large_form_goes_as_a_body() -> None:
    """256 KiB of a message, every byte quoted, arrive; nothing of them stands in the URL."""
    body = "ü&=+ " * 40_000
    aws = CannedService(query_xml("SendMessage"))
    aws.call("sqs.send_message", {"QueueUrl": "http://h/1/q", "MessageBody": body})
    assert form_of(aws.requests[0])["MessageBody"] == body
    assert unquote_plus(aws.requests[0].target) == "/1/q"


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("sqs.send_message", {"QueueUrl": "http://h/1/q", "MessageBody": "secret"}),
        ("sdb.list_domains", {}),
        ("dynamodb.list_tables", {}),
    ],
)
def test_no_request_is_sent_on_to_where_a_server_points(
    method: str, params: dict[str, Any]
) -> None:
    """The answer is an error: whoever is there would get the body, signed."""
    seen: list[str] = []

    def elsewhere(exchange: Exchange) -> None:
        seen.append(exchange.target)
        exchange.ok(b"fine")

    with http_server(elsewhere) as other:
        there = f"Location: http://127.0.0.1:{other.port}/x"
        with pytest.raises(BotoServerError) as caught:
            CannedService(reply(b"", there, status="307 Temporary Redirect")).call(method, params)
    assert (caught.value.status, seen) == (307, [])
