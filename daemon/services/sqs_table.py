"""SQS's table of operations."""

from functools import partial

from botod.daemon.services import sqs, sqs_batches
from botod.daemon.services.operation import Gathering, Operation, Params, Service
from botod.daemon.services.query import connect
from botod.daemon.services.resources import QUEUE, UNTOLD
from botod.daemon.services.resources import QUEUE_NAME as BY_NAME
from botod.daemon.services.shapes import Number, Struct, Text
from botod.daemon.services.sqs_shapes import (
    BODY,
    HANDLE,
    ID,
    MAX_ENTRIES,
    MAX_MESSAGE_BYTES,
    MAX_TOKEN_LENGTH,
    NAMES,
    ON_QUEUE,
    QUEUE_ATTRIBUTES,
    QUEUE_NAME,
    SENDING,
    TAGS,
    VISIBILITY,
    Entries,
    Message,
    message_bytes,
)

from boto.sqs.connection import SQSConnection

_VISIBILITY = {"VisibilityTimeout": VISIBILITY}
_gathering = partial(
    Gathering,
    place="QueueUrl",
    entries_max=MAX_ENTRIES,
    bytes_max=MAX_MESSAGE_BYTES,
    size_of=message_bytes,
)


def _may_wait(params: Params) -> bool:
    """Whether a receive is a long poll; where it does not say, the queue's own setting decides."""
    return params.get("WaitTimeSeconds") != 0


def _is_fifo(params: Params) -> bool:
    queue: str = params["QueueUrl"]
    return queue.endswith(".fifo")


SERVICE: Service = Service(
    connect=partial(connect, SQSConnection),
    operations={
        "create_queue": Operation(
            Struct(QUEUE_NAME, {"Attributes": QUEUE_ATTRIBUTES, "tags": TAGS}),
            sqs.create_queue,
            idempotent=True,
            resources=BY_NAME,
        ),
        "get_queue_url": Operation(
            Struct(QUEUE_NAME, {"QueueOwnerAWSAccountId": Text(1, 64)}),
            sqs.get_queue_url,
            idempotent=True,
            resources=BY_NAME,
        ),
        "list_queues": Operation(
            Struct(
                {},
                {
                    "QueueNamePrefix": Text(0, 80),
                    "MaxResults": Number(1, 1000),
                    "NextToken": Text(1, MAX_TOKEN_LENGTH),
                },
            ),
            sqs.list_queues,
            idempotent=True,
            resources=UNTOLD,
        ),
        "delete_queue": Operation(
            Struct(ON_QUEUE), sqs.delete_queue, idempotent=True, resources=QUEUE
        ),
        "purge_queue": Operation(
            Struct(ON_QUEUE), sqs.purge_queue, idempotent=True, resources=QUEUE
        ),
        "get_queue_attributes": Operation(
            Struct(ON_QUEUE, {"AttributeNames": NAMES}),
            sqs.get_queue_attributes,
            idempotent=True,
            resources=QUEUE,
        ),
        "set_queue_attributes": Operation(
            Struct(ON_QUEUE | {"Attributes": QUEUE_ATTRIBUTES}),
            sqs.set_queue_attributes,
            idempotent=True,
            resources=QUEUE,
        ),
        "send_message": Operation(
            Message(ON_QUEUE | BODY, SENDING),
            sqs.send_message,
            idempotent=False,
            resources=QUEUE,
            gathering=_gathering(
                run=sqs_batches.gathered_sends,
                keeps_order=_is_fifo,
                with_headers=sqs_batches.traced_message,
            ),
        ),
        "send_message_batch": Operation(
            Struct(ON_QUEUE | {"Entries": Entries(Struct(ID | BODY, SENDING))}),
            sqs_batches.send_message_batch,
            idempotent=False,
            resources=QUEUE,
        ),
        "receive_message": Operation(
            Struct(
                ON_QUEUE,
                _VISIBILITY
                | {
                    "AttributeNames": NAMES,
                    "MessageSystemAttributeNames": NAMES,
                    "MessageAttributeNames": NAMES,
                    "MaxNumberOfMessages": Number(1, 10),
                    "WaitTimeSeconds": Number(0, 20),
                    "ReceiveRequestAttemptId": Text(1, 128),
                },
            ),
            sqs.receive_message,
            # What a lost answer held becomes visible again after its timeout.
            idempotent=True,
            resources=QUEUE,
            polls=_may_wait,
        ),
        "delete_message": Operation(
            Struct(ON_QUEUE | HANDLE),
            sqs.delete_message,
            idempotent=True,
            resources=QUEUE,
            gathering=_gathering(run=sqs_batches.gathered_deletes),
        ),
        "delete_message_batch": Operation(
            Struct(ON_QUEUE | {"Entries": Entries(Struct(ID | HANDLE))}),
            sqs_batches.delete_message_batch,
            idempotent=True,
            resources=QUEUE,
        ),
        "change_message_visibility": Operation(
            Struct(ON_QUEUE | HANDLE | _VISIBILITY),
            sqs.change_message_visibility,
            idempotent=True,
            resources=QUEUE,
            gathering=_gathering(run=sqs_batches.gathered_changes),
        ),
        "change_message_visibility_batch": Operation(
            Struct(ON_QUEUE | {"Entries": Entries(Struct(ID | HANDLE, _VISIBILITY))}),
            sqs_batches.change_message_visibility_batch,
            idempotent=True,
            resources=QUEUE,
        ),
    },
)
