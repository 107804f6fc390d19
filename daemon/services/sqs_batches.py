"""SQS's batches: several entries in one request, each with a fate of its own inside a 200.

And how jobs that are asked for at the same time become such a batch (see daemon/gathering.py).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from botod.daemon.services.answers import all_of, text_of, texts_of
from botod.daemon.services.operation import Fate, Params, Result
from botod.daemon.services.query import Form, ask, prefixed, scalars
from botod.daemon.services.sqs_messages import SENT, changed, message_form
from botod.pool import OutcomeUnknown

from boto.exception import BotoServerError

TRACE_HEADER = "X-Amzn-Trace-Id"
"""Of a request with one message, which SQS gives to whoever receives it."""


def send_message_batch(connection: Any, params: Params) -> Result:
    """Raises ChangedOnTheWay if that happened to any, which all are told: it is no usual fate."""
    result, errors = _send(connection, params)
    for error in errors.values():
        raise error
    return result


def delete_message_batch(connection: Any, params: Params) -> Result:
    return _ask(connection, "DeleteMessageBatch", params, ("ReceiptHandle",))


def change_message_visibility_batch(connection: Any, params: Params) -> Result:
    names = ("ReceiptHandle", "VisibilityTimeout")
    return _ask(connection, "ChangeMessageVisibilityBatch", params, names)


def gathered_sends(connection: Any, jobs: Sequence[Params]) -> list[Fate]:
    params = _as_batch(jobs)
    result, errors = _send(connection, params)
    return [errors.get(name, fate) for name, fate in _fates(result, len(jobs)).items()]


def gathered_deletes(connection: Any, jobs: Sequence[Params]) -> list[Fate]:
    result = delete_message_batch(connection, _as_batch(jobs))
    return list(_fates(result, len(jobs)).values())


def gathered_changes(connection: Any, jobs: Sequence[Params]) -> list[Fate]:
    result = change_message_visibility_batch(connection, _as_batch(jobs))
    return list(_fates(result, len(jobs)).values())


def traced_message(params: Params, headers: Mapping[str, str]) -> Params:
    """A message's params with the trace that its own request would have had in its head."""
    trace = headers.get(TRACE_HEADER)
    if trace is None or "MessageSystemAttributes" in params:
        return params
    attribute = {"DataType": "String", "StringValue": trace}
    return params | {"MessageSystemAttributes": {"AWSTraceHeader": attribute}}


def _send(connection: Any, params: Params) -> tuple[Result, dict[str, Exception]]:
    """What SQS answered, and by Id those that it took other than they were sent."""
    form: Form = {}
    for number, entry in enumerate(params["Entries"], 1):
        fields = scalars(entry, "Id") | message_form(entry)
        form |= prefixed(f"SendMessageBatchRequestEntry.{number}", fields)
    element, meta = ask(connection, "SendMessageBatch", form, params["QueueUrl"])
    result = _result(element, "SendMessageBatch", ("Id", *SENT))
    sent = {entry["Id"]: entry for entry in params["Entries"]}
    told = [entry for entry in result["Successful"] if entry.get("Id") in sent]
    errors = changed([sent[entry["Id"]] for entry in told], told)
    wrong: dict[str, Exception] = {
        entry["Id"]: error for entry, error in zip(told, errors, strict=True) if error
    }
    return result | meta, wrong


def _ask(connection: Any, action: str, params: Params, names: tuple[str, ...]) -> Result:
    form: Form = {}
    for number, entry in enumerate(params["Entries"], 1):
        form |= prefixed(f"{action}RequestEntry.{number}", scalars(entry, "Id", *names))
    element, meta = ask(connection, action, form, params["QueueUrl"])
    return _result(element, action, ("Id",)) | meta


def _result(element: Any, action: str, names: tuple[str, ...]) -> Result:
    return {
        "Successful": [texts_of(entry, names) for entry in all_of(element, f"{action}ResultEntry")],
        "Failed": [
            texts_of(entry, ("Id", "Code", "Message"))
            | {"SenderFault": text_of(entry, "SenderFault") == "true"}
            for entry in all_of(element, "BatchResultErrorEntry")
        ],
    }


def _as_batch(jobs: Sequence[Params]) -> Params:
    """Jobs on one queue as the params of a batch; an entry's Id is its number."""
    entries = [
        {"Id": str(number)} | {name: value for name, value in job.items() if name != "QueueUrl"}
        for number, job in enumerate(jobs)
    ]
    return {"QueueUrl": jobs[0]["QueueUrl"], "Entries": entries}


def _fates(result: Result, number: int) -> dict[str, Fate]:
    """What became of each entry, by its Id, in order."""
    meta = {"ResponseMetadata": result["ResponseMetadata"]}
    fates: dict[str, Fate] = {str(index): _untold() for index in range(number)}
    for entry in result["Successful"]:
        if entry.get("Id") in fates:
            fates[entry["Id"]] = {key: text for key, text in entry.items() if key != "Id"} | meta
    for entry in result["Failed"]:
        if entry.get("Id") in fates:
            fates[entry["Id"]] = _refused(entry, meta["ResponseMetadata"].get("RequestId"))
    return fates


def _untold() -> OutcomeUnknown:
    return OutcomeUnknown("SQS's answer to the batch does not say what became of this entry")


def _refused(entry: Result, request_id: str | None) -> BotoServerError:
    """The error that the entry's own request would have had; its status is told by whose fault."""
    status, reason = (400, "Bad Request") if entry["SenderFault"] else (500, "Server Error")
    error = {"Code": entry.get("Code"), "Message": entry.get("Message", "")}
    return BotoServerError(status, reason, {"RequestId": request_id, "Error": error})
