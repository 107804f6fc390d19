"""Whether an operation may be sent twice: the one rule for all that have no row of their own.

It may, if sending it a second time leaves things as sending it once does:

- the model says so: `readonly`, `idempotent`;
- it reads: GET or HEAD, or by the names that AWS gives to what reads, as in the protocols in which
  everything is a POST nothing else tells it;
- it is PUT or DELETE in a protocol in which the method means something, unless its name says that
  it does something each time: AWS writes what starts and makes as PUT, too, but in S3;
- a token marks it (the model's `idempotencyToken`): the service does one token's request once. The
  token is a peer's own, or is made once a job, so that all tries of the job share it.

A condition, `If-Match` and its like, holds only the first time. Everything else is sent once.
"""

from typing import Any

from botocore.model import OperationModel

READ_METHODS = frozenset({"GET", "HEAD"})

REPLACING_METHODS = frozenset({"PUT", "DELETE"})

REST = frozenset({"rest-json", "rest-xml"})

READING_NAMES = ("get_", "list_", "describe_", "head_", "batch_get_")

READING = frozenset({
    "cloudtrail.lookup_events",
    "dynamodb.query",
    "dynamodb.scan",
    "dynamodb.transact_get_items",
    "logs.filter_log_events",
})
"""That read although neither their name nor their model says so."""

TAKING = frozenset({"stepfunctions.get_activity_task"})
"""That reads by its name, and takes what it gives from all others."""

DOING_NAMES = ("create_", "start_", "send_", "invoke_", "publish_", "rotate_")

CONDITIONS = frozenset({"if-match", "if-none-match", "if-modified-since", "if-unmodified-since"})


def is_repeatable(service: str, name: str, model: OperationModel) -> bool:
    """Whether it may be sent twice whatever its parameters, but for conditions."""
    method = f"{service}.{name}"
    raw = traits(model)
    if raw.get("readonly") or raw.get("idempotent"):
        return True
    if method in TAKING:
        return False
    if name.startswith(READING_NAMES) or method in READING:
        return True
    verb = model.http.get("method", "POST")
    if verb == "PUT" and service != "s3" and name.startswith(DOING_NAMES):
        return False
    is_rest = model.service_model.resolved_protocol in REST
    return is_rest and verb in READ_METHODS | REPLACING_METHODS


def conditions(model: OperationModel) -> tuple[str, ...]:
    """Parameters with which it may not be sent twice, though it may without them."""
    if model.input_shape is None or model.http.get("method") in READ_METHODS:
        return ()
    return tuple(
        name
        for name, member in model.input_shape.members.items()
        if str(member.serialization.get("name", "")).lower() in CONDITIONS
        and member.serialization.get("location") == "header"
    )


def tokens(model: OperationModel) -> tuple[str, ...]:
    """The parameters that mark a request as one and the same."""
    return tuple(model.idempotent_members)


def traits(model: OperationModel) -> dict[str, Any]:
    """What the model says of an operation, as it stands there."""
    raw: dict[str, Any] = model.service_model._service_description["operations"][model.name]  # noqa: SLF001 - botocore hands these on by halves
    return raw
