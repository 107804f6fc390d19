"""Bodies of any size of operations without rows: by streams and descriptors."""

import os
from typing import Any

from botod.ipc.descriptors import Descriptor
from botod.ipc.errors import Code
from support.exchanges import incoming
from support.loops import until
from support.rigs import LARGE, rig, run
from support.services import reply

SPEECH = {"OutputFormat": "mp3", "Text": "a", "VoiceId": "Joanna"}
PART = {"Bucket": "bucket", "Key": "k", "PartNumber": 1, "UploadId": "u"}
ASSET = {
    "domain": "dom",
    "repository": "rep",
    "format": "generic",
    "package": "p",
    "packageVersion": "1",
    "assetName": "a",
    "assetSHA256": "0" * 64,
}


def file_of(data: bytes) -> int:
    """A descriptor of a file with these bytes."""
    number = os.memfd_create("body")
    os.write(number, data)
    os.lseek(number, 0, os.SEEK_SET)
    return number


def test_a_large_answer_is_streamed() -> None:
    """Under the name that its model has for it."""

    async def main() -> None:
        async with rig(reply(LARGE, "Content-Type: audio/mpeg")) as one:
            peer = one.ask("polly.synthesize_speech", SPEECH, credit_bytes=len(LARGE))
            result = await peer.result()
            assert result["AudioStream"] is peer.streams[0]
            assert result["ContentType"] == "audio/mpeg"
            await peer.ended()
            assert bytes(peer.received) == LARGE
            await until(lambda: one.worker.running_num == 0)

    run(main())


def test_an_answer_is_written_to_a_descriptor() -> None:
    """That stands in the place of the result."""

    async def main() -> None:
        async with rig(reply(LARGE)) as one:
            file = os.memfd_create("answer")
            copy = os.dup(file)
            params: Any = SPEECH | {"AudioStream": Descriptor(file)}
            result = await one.call("polly.synthesize_speech", params)
            assert "AudioStream" not in result
            assert result["ContentLength"] == len(LARGE)
            assert os.pread(copy, len(LARGE) + 1, 0) == LARGE
            os.close(copy)

    run(main())


def test_a_part_of_an_object_is_read_from_a_descriptor() -> None:
    """And sent unsigned, tried again from its beginning."""

    def answer(exchange: Any) -> None:
        if exchange.number == 1:
            exchange.cut()
        else:
            exchange.ok(b"", 'ETag: "e"')

    async def main() -> None:
        async with rig(answer, retries=1) as one:
            params: Any = PART | {"Body": Descriptor(file_of(LARGE))}
            assert (await one.call("s3.upload_part", params))["ETag"] == '"e"'
            assert [request.body == LARGE for request in one.server.requests] == [True, True]
            sums = {request.headers["x-amz-content-sha256"] for request in one.server.requests}
            assert sums == {"UNSIGNED-PAYLOAD"}

    run(main())


def test_a_part_of_an_object_comes_as_a_stream() -> None:
    """Its length has to be said."""

    async def main() -> None:
        async with rig(reply(b"", 'ETag: "e"')) as one:
            body = incoming([b"x" * 60_000, b"y" * 60_000])
            params: Any = PART | {"Body": body, "ContentLength": 120_000}
            await one.call("s3.upload_part", params)
            (request,) = one.server.requests
            assert request.body == b"x" * 60_000 + b"y" * 60_000
            assert request.headers["content-length"] == "120000"

    run(main())


def test_a_body_that_has_to_be_hashed_is_held() -> None:
    """Counted in the budget of all peers, and signed."""

    async def main() -> None:
        async with rig(reply(b"{}")) as one:
            params: Any = ASSET | {"assetContent": Descriptor(file_of(LARGE))}
            await one.call("codeartifact.publish_package_version", params)
            (request,) = one.server.requests
            assert request.body == LARGE
            assert request.headers["x-amz-content-sha256"] == "0" * 64

    run(main())


def test_what_is_no_stream_takes_none() -> None:
    """A blob that is the body, but not of any size."""

    async def main() -> None:
        async with rig(reply(b"{}")) as one:
            descriptor = Descriptor(file_of(b"{}"))
            params: Any = {"FunctionName": "f", "Payload": descriptor}
            error = await one.error("lambda.invoke", params)
            assert error.code == Code.INVALID_PARAMS
            assert error.message == "Payload has to be a text, not a descriptor"

    run(main())
