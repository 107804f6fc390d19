"""Reading answers: bounded, checked, in AWS's shapes."""

import asyncio
import threading
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as some

from botod.daemon.held import Held, holding
from botod.daemon.services import answers
from botod.daemon.services.answers import Download, moment, whole_number
from botod.daemon.services.errors import AnswerTooLarge, BadAnswer
from botod.ipc.errors import RpcError
from botod.ipc.limits import Budget, Refusals
from botod.pool import Interrupted, Terms, on_terms, spawn
from support.bodies import BodyResponse
from support.http_server import Exchange
from support.services import CannedService, reply, xml

from boto.exception import BotoServerError

ON_KEY = {"Bucket": "photos", "Key": "cat.jpg"}
SMALL = 1000


@pytest.fixture
def small_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """No answer above SMALL bytes can be held."""
    monkeypatch.setattr(answers, "MAX_ANSWER_BYTES", SMALL)


def chunked(body: bytes) -> Any:
    """An answer that does not say how long it is."""

    def answer(exchange: Exchange) -> None:
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        exchange.send(head + f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n")

    return answer


def test_an_answer_as_large_as_may_be_is_held(small_answers: None) -> None:
    """The bound itself is within bounds, with or without a Content-Length."""
    body = b"x" * SMALL
    for answer in (reply(body), chunked(body)):
        assert CannedService(answer).call("s3.get_object", ON_KEY)["Body"] == body


def test_a_byte_more_is_too_large(small_answers: None) -> None:
    """By what its Content-Length says, or by what comes; the message has the numbers."""
    body = b"x" * (SMALL + 1)
    with pytest.raises(AnswerTooLarge, match="the answer has 1001 bytes, at most 1000 can be held"):
        CannedService(reply(body)).call("s3.get_object", ON_KEY)
    with pytest.raises(AnswerTooLarge, match="the answer has more than 1000 bytes"):
        CannedService(chunked(body)).call("s3.get_object", ON_KEY)


def test_memory_is_reserved_before_it_is_taken() -> None:
    """By the length that the service says, else by what is read next."""
    reserved: list[int] = []
    assert Download(BodyResponse(b"x" * 700)).whole(reserved.append) == b"x" * 700
    assert reserved == [700]
    reserved.clear()
    untold = Download(BodyResponse(b"x" * 700, says_length=False))
    assert untold.length_bytes is None
    assert untold.whole(reserved.append) == b"x" * 700
    assert reserved == [answers.ANSWER_BLOCK_BYTES] * 2


def test_what_may_not_be_held_is_closed() -> None:
    """Its slot is free again."""

    def no(_size: int) -> None:
        raise RuntimeError("no room")

    response = BodyResponse(b"x" * 700)
    with pytest.raises(RuntimeError, match="no room"):
        Download(response).whole(no)
    assert response.is_closed


def test_xml_is_bounded_too(small_answers: None) -> None:
    """A listing is held as a whole before it is read."""
    document = f"<ListBucketResult><Name>{'x' * SMALL}</Name></ListBucketResult>"
    with pytest.raises(AnswerTooLarge):
        CannedService(xml(document)).call("s3.list_objects_v2", {"Bucket": "photos"})


LONG = b"<A>" + b"<B>x</B>" * 40_000 + b"</A>"


@pytest.mark.parametrize(("document", "is_here"), [(b"<A><B>x</B></A>", True), (LONG, False)])
def test_a_long_document_is_read_in_a_thread(document: bytes, is_here: bool) -> None:
    """It would keep the loop for too long."""

    def read(root: ET.Element) -> tuple[int, bool]:
        return len(root), threading.current_thread() is threading.main_thread()

    async def main() -> None:
        found = await spawn(answers.read_document, BodyResponse(document), "A", read)
        assert found == (document.count(b"<B>"), is_here)

    asyncio.run(main())


def test_documents_count_among_what_is_held() -> None:
    """Until the job ends; where there is no room they are refused."""
    budget = Budget(1000)
    held = Held(budget, Refusals())
    with holding(held), on_terms(Terms(idempotent=True)):
        assert answers.body_of(BodyResponse(b"x" * 600)) == b"x" * 600
        assert budget.used_bytes == 600
        with pytest.raises(RpcError) as caught:
            answers.body_of(BodyResponse(b"x" * 600))
    assert caught.value.data["limit"] == "buffered_bytes"
    held.release()
    assert budget.used_bytes == 0


def test_what_says_that_something_was_done_is_read_without_room() -> None:
    """Else a job that may not be done twice would look as if it had not been done."""
    budget = Budget(100)
    with holding(Held(budget, Refusals())), on_terms(Terms(idempotent=False)):
        assert answers.body_of(BodyResponse(b"x" * 600)) == b"x" * 600
    assert budget.used_bytes == 600


def test_an_error_s_body_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of what a proxy says instead of AWS only the beginning is read; no slot is kept for it."""
    monkeypatch.setattr(answers, "MAX_ERROR_BYTES", 4)
    with pytest.raises(BotoServerError) as caught:
        CannedService(reply(b"<html>" * 100, status="403 Forbidden")).call("s3.get_object", ON_KEY)
    assert caught.value.message == "<htm"


@pytest.mark.parametrize("body", [b"\xff\xfe", b"[1, 2]", b"12", b'{"Error": "x"}', b"<a><b></a>"])
def test_an_error_with_an_odd_body_is_an_error_with_its_status(body: bytes) -> None:
    """Whatever stands in it, what counts is the status."""
    with pytest.raises(BotoServerError) as caught:
        CannedService(reply(body, status="403 Forbidden")).call("s3.get_object", ON_KEY)
    assert (caught.value.status, caught.value.error_code) == (403, None)


def test_entity_bombs_are_refused() -> None:
    """A document of a kilobyte does not become gigabytes of memory."""
    entities = "".join(f'<!ENTITY e{number} "{f"&e{number - 1};" * 50}">' for number in range(1, 9))
    bomb = (
        f'<!DOCTYPE x [<!ENTITY e0 "lol">{entities}]>'
        "<ListBucketResult><Name>&e8;</Name></ListBucketResult>"
    )
    with pytest.raises(BadAnswer, match="not XML"):
        CannedService(reply(bomb)).call("s3.list_objects_v2", {"Bucket": "photos"})


def test_another_document_is_refused_by_name() -> None:
    """The message says what came and what should have come."""
    with pytest.raises(BadAnswer, match="a document 'html', not 'ListBucketResult'"):
        CannedService(reply("<html/>")).call("s3.list_objects_v2", {"Bucket": "photos"})


def test_an_answer_that_breaks_off_may_be_asked_for_again() -> None:
    """Under idempotent terms half a body is `Interrupted`."""

    def half(exchange: Exchange) -> None:
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        exchange.cut()

    with pytest.raises(Interrupted):
        CannedService(half).call("s3.get_object", ON_KEY, idempotent=True)


class Response:
    """As much of a response as `metadata` looks at."""

    status = 204

    def __init__(self, fields: dict[str, str]) -> None:
        self.fields = fields


@pytest.mark.parametrize("header", ["x-amz-request-id", "x-amzn-requestid"])
def test_metadata_knows_both_request_ids(header: str) -> None:
    """S3's header and that of the other services."""
    assert answers.metadata(Response({header: "r"})) == {
        "ResponseMetadata": {"HTTPStatusCode": 204, "RequestId": "r"}
    }
    assert answers.metadata(Response({})) == {"ResponseMetadata": {"HTTPStatusCode": 204}}


TREE = ET.fromstring('<a xmlns="urn:x"><b>1</b><b/><c encoding="base64">/w==</c><d> &lt; </d></a>')


def test_elements_are_found_whatever_their_namespace() -> None:
    """AWS's namespaces change from service to service and version to version."""
    assert answers.name_of(TREE) == "a"
    assert [element.text for element in answers.all_of(TREE, "b")] == ["1", None]
    assert answers.all_of(TREE, "x") == []


def test_texts() -> None:
    """Missing is None or left out, empty is empty, white space stays, base64 is decoded."""
    assert answers.text_of(TREE, "b") == "1"
    assert answers.text_of(TREE, "x") is None
    assert answers.text_of(TREE, "d") == " < "
    assert answers.text_of(TREE, "c") == "\ufffd"
    assert answers.texts_of(TREE, ("b", "x", "d")) == {"b": "1", "d": " < "}
    assert answers.plain(answers.all_of(TREE, "b")[1]) == ""


@pytest.mark.parametrize(
    ("text", "number"), [(None, 0), ("", 0), ("0", 0), ("18446744073", 18446744073)]
)
def test_whole_numbers(text: str | None, number: int) -> None:
    """Where there is none it is nought."""
    assert whole_number(text, "Size") == number


@pytest.mark.parametrize("text", ["-1", "1.5", "2, 2", "many", "\u0662", "1" * 5000])
def test_a_number_that_is_none_is_no_answer(text: str) -> None:
    """An odd header is the server's mistake, not a bug of ours."""
    with pytest.raises(BadAnswer, match=r"Size is '.*', which is not a whole number"):
        whole_number(text, "Size")


@pytest.mark.parametrize("text", ["yesterday", "", "Wed, 32 Oct 2022 17:50:00 GMT"])
def test_a_date_that_is_none_is_no_answer(text: str) -> None:
    """The same for dates."""
    with pytest.raises(BadAnswer, match=r"LastModified is .* not a date"):
        moment(text, "LastModified")


@given(some.datetimes(datetime(1970, 1, 1), datetime(2999, 12, 31)))  # noqa: DTZ001
def test_a_date_is_read_as_the_standard_library_reads_it(date: datetime) -> None:
    """However it is found."""
    text = format_datetime(date.replace(microsecond=0, tzinfo=UTC), usegmt=True)
    assert moment(text, "LastModified") == parsedate_to_datetime(text).isoformat()
