"""A body that is read as boto3's: what came already, and what still comes."""

from __future__ import annotations

import io

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

BODY = "Body"

CHUNK_BYTES = 1024
"""Of iteration, as boto3 has it."""


class StreamingBody(io.RawIOBase):
    """A body to be read once, from its beginning to its end.

    data: what is here. pull: gives the next bytes, b"" at the end, and raises if what came is not
    whole. hang_up: called when nobody reads on, at the latest when this is thrown away.
    """

    def __init__(
        self,
        data: bytes = b"",
        *,
        pull: Callable[[], bytes] = bytes,
        hang_up: Callable[[], object] = bool,
    ) -> None:
        self._rest: bytes | memoryview = data
        self._pull = pull
        self._hang_up = hang_up
        self._at = 0

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def read(self, amt: int | None = None) -> bytes:
        """At most `amt` bytes, fewer only at the end; all that is left without it."""
        self._check_open()
        if amt is None or amt < 0:
            return self._take_all()
        if amt <= len(self._rest):
            return self._cut(amt)
        pieces = []
        while amt and self._fill():
            pieces.append(self._cut(amt))
            amt -= len(pieces[-1])
        return b"".join(pieces)

    def readall(self) -> bytes:
        return self.read()

    def readinto(self, buffer: Any) -> int:
        self._check_open()
        with memoryview(buffer) as view:
            if not self._fill():
                return 0
            piece = self._cut(view.nbytes)
            view.cast("B")[: len(piece)] = piece
            return len(piece)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        """The next KiB: boto3's bodies give chunks, not lines, when they are iterated."""
        chunk = self.read(CHUNK_BYTES)
        if not chunk:
            raise StopIteration
        return chunk

    def iter_chunks(self, chunk_size: int = CHUNK_BYTES) -> Iterator[bytes]:
        """The rest, in pieces of `chunk_size` bytes; the last may have fewer."""
        while chunk := self.read(chunk_size):
            yield chunk

    def iter_lines(
        self, chunk_size: int = CHUNK_BYTES, *, keepends: bool = False
    ) -> Iterator[bytes]:
        """The rest, line by line; the last may lack its end."""
        pending = b""
        for chunk in self.iter_chunks(chunk_size):
            *lines, pending = (pending + chunk).splitlines(keepends=True)
            if pending.endswith(b"\n"):
                lines, pending = [*lines, pending], b""
            yield from (line if keepends else line.splitlines()[0] for line in lines)
        if pending:
            yield pending if keepends else pending.splitlines()[0]

    def close(self) -> None:
        """Read no more; closing again is nothing."""
        if not self.closed:
            self._hang_up()
        super().close()

    def _fill(self) -> bool:
        """Have at least one byte to cut, unless it is the end."""
        if not self._rest:
            self._rest = self._pull()
        return bool(self._rest)

    def _cut(self, size: int) -> bytes:
        rest = memoryview(self._rest)
        cut, self._rest = bytes(rest[:size]), rest[size:]
        self._at += len(cut)
        return cut

    def _take_all(self) -> bytes:
        """The rest, not copied where it is the whole body and here."""
        pieces, self._rest = [self._rest], b""
        self._at += len(pieces[0])
        while piece := self._pull():
            pieces.append(piece)
            self._at += len(piece)
        return b"".join(pieces)

    def _check_open(self) -> None:
        if self.closed:
            raise ValueError("the body is closed")


OTHERS: Mapping[str, str] = {
    "apigateway.get_export": "body",
    "apigateway.get_sdk": "body",
    "apigatewayv2.export_api": "body",
    "appconfig.create_hosted_configuration_version": "Content",
    "appconfig.get_configuration": "Content",
    "appconfig.get_hosted_configuration_version": "Content",
    "appconfigdata.get_latest_configuration": "Configuration",
    "appsync.get_introspection_schema": "schema",
    "bedrock-agentcore.invoke_agent_runtime": "response",
    "bedrock-runtime.invoke_model": "body",
    "cloudfront.get_connection_function": "ConnectionFunctionCode",
    "cloudfront.get_function": "FunctionCode",
    "codeartifact.get_package_version_asset": "asset",
    "codeguruprofiler.get_profile": "profile",
    "datazone.get_lineage_event": "event",
    "ebs.get_snapshot_block": "BlockData",
    "geo-maps.get_glyphs": "Blob",
    "geo-maps.get_sprites": "Blob",
    "geo-maps.get_static_map": "Blob",
    "geo-maps.get_style_descriptor": "Blob",
    "geo-maps.get_tile": "Blob",
    "glacier.get_job_output": "body",
    "iot-data.delete_thing_shadow": "payload",
    "iot-data.get_thing_shadow": "payload",
    "iot-data.update_thing_shadow": "payload",
    "iotwireless.get_position_estimate": "GeoJsonPayload",
    "iotwireless.get_resource_position": "GeoJsonPayload",
    "kinesis-video-archived-media.get_clip": "Payload",
    "kinesis-video-archived-media.get_media_for_fragment_list": "Payload",
    "kinesis-video-media.get_media": "Payload",
    "lakeformation.get_work_unit_results": "ResultStream",
    "lambda.invoke": "Payload",
    "lex-runtime.post_content": "audioStream",
    "lex-runtime.put_session": "audioStream",
    "lexv2-runtime.put_session": "audioStream",
    "lexv2-runtime.recognize_utterance": "audioStream",
    "location.get_map_glyphs": "Blob",
    "location.get_map_sprites": "Blob",
    "location.get_map_style_descriptor": "Blob",
    "location.get_map_tile": "Blob",
    "medical-imaging.get_image_frame": "imageFrameBlob",
    "medical-imaging.get_image_set_metadata": "imageSetMetadataBlob",
    "neptune-graph.execute_query": "payload",
    "neptunedata.execute_gremlin_explain_query": "output",
    "neptunedata.execute_gremlin_profile_query": "output",
    "neptunedata.execute_open_cypher_explain_query": "results",
    "omics.get_read_set": "payload",
    "omics.get_reference": "payload",
    "polly.synthesize_speech": "AudioStream",
    "s3.get_object_annotation": "AnnotationPayload",
    "sagemaker-geospatial.get_tile": "BinaryFile",
    "sagemakertrainingsessionruntime.sample_training_session": "body",
    "sagemakertrainingsessionruntime.sample_training_session_with_response_stream": "body",
    "workmailmessageflow.get_raw_message_content": "messageContent",
}
"""Names of bodies, where it is not `Body`, that are blobs: boto3 gives those to be read. A test
compares them with AWS's models."""


def body_name(method: str) -> str:
    """What the body of an operation's answer is called, if it has one."""
    return OTHERS.get(method, BODY)
