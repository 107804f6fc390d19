"""A select of all pages: as a stream that asks for each when there is room, or held whole."""

import json
import os
from pathlib import Path
from typing import Any

from botod.ipc.descriptors import Descriptor
from botod.ipc.errors import Code
from support.exchanges import Peer
from support.http_server import Answer, Exchange
from support.loops import until
from support.rigs import Rig, rig, run
from support.services import form_of, query_error, query_xml

EXPRESSION = {"SelectExpression": "select * from cats"}

ITEMS_A_PAGE = 40

PLENTY = 1 << 20


def names(page: int) -> list[str]:
    """Of a page's items, from 0 on; the page with number 1 is empty."""
    return [] if page == 1 else [f"ü{page}-{number}" for number in range(ITEMS_A_PAGE)]


def pages(last: int, *, broken: dict[int, list[Answer]] | None = None) -> Answer:
    """A server with the pages 0 to `last`; broken: what it answers first to who asks for a page."""
    left = broken or {}

    def answer(exchange: Exchange) -> None:
        number = int(form_of(exchange).get("NextToken", "t0")[1:])
        if left.get(number):
            left[number].pop(0)(exchange)
            return
        items = "".join(
            f"<Item><Name>{name}</Name><Attribute><Name>n</Name><Value>v</Value></Attribute></Item>"
            for name in names(number)
        )
        token = f"<NextToken>t{number + 1}</NextToken>" if number < last else ""
        query_xml("Select", items + token)(exchange)

    return answer


def found(lines: bytes) -> list[str]:
    """The names in a body."""
    items = [json.loads(line) for line in lines.splitlines()]
    assert all(item["Attributes"] == [{"Name": "n", "Value": "v"}] for item in items)
    return [item["Name"] for item in items]


def all_names(last: int) -> list[str]:
    """Those of all pages."""
    return [name for page in range(last + 1) for name in names(page)]


async def streamed(one: Rig, **options: Any) -> Peer:
    """A select that was answered with a stream."""
    peer = one.ask("sdb.select_all", EXPRESSION, **options)
    result = await peer.result()
    assert result == {"Body": peer.streams[0]}
    return peer


def test_all_pages_come_in_one_stream() -> None:
    """A line an item, over an empty page too; nothing is held at the end."""

    async def main() -> None:
        async with rig(pages(3), slots=1) as one:
            peer = await streamed(one, credit_bytes=PLENTY)
            await peer.ended()
            assert found(bytes(peer.received)) == all_names(3)
            assert len(one.server.requests) == 4
            assert peer.budget.used_bytes == 0

    run(main())


def test_a_page_is_asked_for_when_there_is_room_for_it() -> None:
    """Not before; and a stream that waits holds no slot, so that another job has it meanwhile."""

    async def main() -> None:
        async with rig(pages(2), slots=1) as one:
            first = len("".join(f"{line}\n" for line in lines_of(0)).encode())
            peer = await streamed(one, credit_bytes=first)
            await peer.until(lambda: len(peer.received) == first)
            other = await one.call("sdb.select", EXPRESSION)
            assert [item["Name"] for item in other["Items"]] == names(0)
            assert len(one.server.requests) == 2
            peer.streams[0].credit(1)
            await until(lambda: len(one.server.requests) == 4)
            assert not peer.has_ended
            peer.streams[0].credit(PLENTY)
            await peer.ended()
            assert found(bytes(peer.received)) == all_names(2)

    run(main())


def lines_of(page: int) -> list[str]:
    """A page's lines."""
    items = [{"Name": name, "Attributes": [{"Name": "n", "Value": "v"}]} for name in names(page)]
    return [json.dumps(item, ensure_ascii=False) for item in items]


def test_a_page_is_tried_again(quick_retries: None) -> None:
    """By itself: what came before is not asked for again."""
    busy = query_error("ServiceUnavailable", "slow down", "503 Service Unavailable")

    async def main() -> None:
        async with rig(pages(2, broken={0: [busy], 2: [busy]}), retries=1) as one:
            peer = await streamed(one, credit_bytes=PLENTY)
            await peer.ended()
            assert peer.stream_error is None
            assert found(bytes(peer.received)) == all_names(2)
            asked = [form_of(request).get("NextToken") for request in one.server.requests]
            assert asked == [None, None, "t1", "t2", "t2"]

    run(main())


def test_an_error_on_a_later_page_ends_the_stream() -> None:
    """With SimpleDB's own code, after what came before it; all is given back."""
    gone = query_error("NoSuchDomain", "it is gone", "400 Bad Request")

    async def main() -> None:
        async with rig(pages(2, broken={1: [gone]})) as one:
            peer = await streamed(one, credit_bytes=PLENTY)
            await peer.ended()
            assert peer.stream_error is not None
            assert peer.stream_error["data"]["type"] == "NoSuchDomain"
            assert found(bytes(peer.received)) == names(0)
            assert peer.budget.used_bytes == 0

    run(main())


def test_an_error_on_the_first_page_is_the_job_s() -> None:
    """There is no stream then."""
    gone = query_error("NoSuchDomain", "it is gone", "400 Bad Request")

    async def main() -> None:
        async with rig(pages(2, broken={0: [gone]})) as one:
            error = await one.error("sdb.select_all", EXPRESSION, credit_bytes=PLENTY)
            assert (error.code, error.data["type"]) == (Code.SERVICE_ERROR, "NoSuchDomain")

    run(main())


def test_a_first_page_that_cannot_be_read_holds_nothing() -> None:
    """Its bytes were taken from all peers' budget, and there is nobody who would close it."""

    async def main() -> None:
        async with rig(query_xml("Select", "<Item><Name>cut")) as one:
            peer = one.ask("sdb.select_all", EXPRESSION, credit_bytes=PLENTY)
            error = (await peer.outcome()).error
            assert error is not None
            assert error.code == Code.BAD_ANSWER
            assert peer.budget.used_bytes == 0

    run(main())


def test_the_same_place_twice_is_no_answer() -> None:
    """A server that never comes on is not followed for ever."""

    async def main() -> None:
        async with rig(query_xml("Select", "<NextToken>t1</NextToken>")) as one:
            peer = await streamed(one, credit_bytes=PLENTY)
            await peer.ended()
            assert peer.stream_error is not None
            assert peer.stream_error["code"] == Code.BAD_ANSWER
            assert len(one.server.requests) == 2

    run(main())


def held(_exchange: Exchange) -> None:
    """No answer; the connection stays."""


def test_a_peer_that_leaves_stops_a_page() -> None:
    """Its request is given up, and its slot is free."""

    async def main() -> None:
        async with rig(pages(2, broken={1: [held]}), slots=1) as one:
            peer = await streamed(one, credit_bytes=PLENTY)
            await until(lambda: len(one.server.requests) == 2)
            peer.exchange.cancel()
            await peer.ended()
            await until(lambda: one.worker.running_num == 0)
            assert await one.call("sdb.select", EXPRESSION)
            assert peer.budget.used_bytes == 0

    run(main())


def test_each_page_has_the_time_of_the_job() -> None:
    """One that is slower ends the stream."""

    async def main() -> None:
        async with rig(pages(2, broken={1: [held]})) as one:
            peer = await streamed(one, credit_bytes=PLENTY, timeout_s=0.3)
            await peer.ended()
            assert peer.stream_error is not None
            assert peer.stream_error["code"] == Code.DEADLINE_EXCEEDED

    run(main())


def test_without_streams_it_is_held_whole() -> None:
    """And so for a descriptor it is written, page by page."""

    async def main() -> None:
        async with rig(pages(3)) as one:
            result = await one.call("sdb.select_all", EXPRESSION)
            assert found(result["Body"]) == all_names(3)

    run(main())


def test_into_a_file(tmp_path: Path) -> None:
    """By a descriptor, as an object goes."""

    async def main() -> None:
        async with rig(pages(3)) as one:
            number = os.open(tmp_path / "rows", os.O_RDWR | os.O_CREAT)
            result = await one.call("sdb.select_all", EXPRESSION | {"Body": Descriptor(number)})
            lines = (tmp_path / "rows").read_bytes()
            assert found(lines) == all_names(3)
            assert result == {"ContentLength": len(lines)}

    run(main())
