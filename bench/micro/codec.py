"""The wire's codec: a line read as a request, a result written as a line."""

import json
from collections.abc import Iterator

from botod.ipc.framing import Decoder, Message
from botod.ipc.markers import Declared
from botod.ipc.protocol import encode_result, read_request
from micro.piece import Piece

GET = {"Bucket": "bucket", "Key": "k"}
SEND = {"QueueUrl": "https://sqs.us-east-1.amazonaws.com/1/q", "MessageBody": "x" * 200}
SENT = {"MD5OfMessageBody": "f" * 32, "MessageId": "5fea7756-0ea4-451a-a703-a558b933e274"}
GOT = {"Body": b"x" * 1024, "ContentLength": 1024, "ETag": '"fafb"', "ContentType": "text/plain"}


def pieces() -> Iterator[Piece]:
    """Both ways, for both hot operations."""
    for method, params in (("s3.get_object", GET), ("sqs.send_message", SEND)):
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        line, decoder = json.dumps(request).encode() + b"\n", Decoder()

        def read(line: bytes = line, decoder: Decoder = decoder) -> None:
            decoder.feed(line)
            message = decoder.next()
            assert isinstance(message, Message), "a line is a message"
            read_request(message, Declared())

        yield Piece(f"read {method}", 10.0, read)
    yield Piece("write what s3.get_object gave", 8.0, lambda: encode_result(1, GOT))
    yield Piece("write what sqs.send_message gave", 5.0, lambda: encode_result(1, SENT))
