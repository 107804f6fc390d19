"""What the operations of models touch: the names that rules of policy are written about.

For well-known services a table says which parameters name a resource. An operation's resources are
told only if these are all that could: where another of its members, however deep, looks like the
name of something (an ARN, a statement, what the service's things are called), they cannot be told.
So a model that grows a member becomes more careful, and never lets a second name slip by a rule.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Any

from botocore.model import OperationModel

from botod.daemon.services import resources
from botod.daemon.services.resources import UNTOLD, Names, Resources
from botod.daemon.services.s3 import copy_source

Namer = Callable[[Any], Names]
"""The names in the value of a parameter; None: one that cannot be told."""

ARN = re.compile(r"arn:[^:]+:[^:]+:[^:]*:[0-9]{12}:(?P<rest>.+)", re.DOTALL)
"""With an account: Lambda reads one that has none otherwise, and finds a function all the same."""

QUEUE_URL = re.compile(r"https?://[0-9A-Za-z.-]+(?::[0-9]+)?(?P<path>/.*)", re.DOTALL)
"""Any host: who is asked is the profile's."""

PLAIN_NAME = r"[0-9A-Za-z_.-]+"

PATTERNS = r"[0-9A-Za-z_.*-]+"

PATHS = r"[0-9A-Za-z_./+=@#*-]+"

MAX_NAMES = 1000
"""That one job may tell: AWS takes 100 at most. A rule is looked for by each, on the loop."""

SUSPECT = r"arn|statement|querystring|resource"
"""In any service: what names something in another way."""


@dataclass(frozen=True)
class Naming:
    """How a service's parameters name its resources.

    words, patterns: as in Resources. names: by parameter. nouns: what the service's things are
    called, beside SUSPECT. harmless: members that are called so and name nothing. implied:
    parameters that stand for something even where they are left out. only: what the names of
    operations look like that this is about.
    """

    words: str
    names: Mapping[str, Namer]
    patterns: str = PATTERNS
    nouns: str = "(?!)"
    harmless: frozenset[str] = field(default_factory=frozenset)
    implied: frozenset[str] = field(default_factory=frozenset)
    only: str = ""


def touched(service: str, name: str, model: OperationModel) -> Resources:
    """The resources of an operation."""
    if model.input_shape is None or _has_free_query(model):
        return UNTOLD
    members = model.input_shape.members
    naming = NAMINGS.get(service)
    if naming is None or re.search(naming.only, name) is None:
        return UNTOLD
    named = {param: namer for param, namer in naming.names.items() if param in members}
    suspect = re.compile(f"{SUSPECT}|{naming.nouns}", re.IGNORECASE)
    others = _others(model, named) - naming.harmless
    if not named or any(suspect.search(member) for member in others):
        return UNTOLD
    if service == "s3":
        return _of_s3(members)
    return Resources(naming.words, naming.patterns, partial(_found, named, naming.implied))


def _of_s3(members: Mapping[str, Any]) -> Resources:
    if "CopySource" in members:
        return resources.copied(copy_source)
    return resources.OBJECT if "Key" in members else resources.BUCKET


def _found(named: Mapping[str, Namer], implied: frozenset[str], params: dict[str, Any]) -> Names:
    found = tuple(islice(_named(named, implied, params), MAX_NAMES + 1))
    return found if 0 < len(found) <= MAX_NAMES else (None,)


def _named(
    named: Mapping[str, Namer], implied: frozenset[str], params: dict[str, Any]
) -> Iterator[str | None]:
    for param, namer in named.items():
        if param in params:
            yield from namer(params[param])
        elif param in implied:
            yield None


def _others(model: OperationModel, named: Mapping[str, Namer]) -> set[str]:
    """The names of all members of the input, however deep, but what names resources and its own."""
    assert model.input_shape is not None, "an operation with parameters"
    top = model.input_shape.members
    waiting: list[Any] = [member for name, member in top.items() if name not in named]
    found = set(top.keys() - named.keys())
    seen: set[str] = set()
    while waiting:
        shape = waiting.pop()
        if shape.type_name == "list":
            waiting.append(shape.member)
        elif shape.type_name == "map":
            waiting.append(shape.value)
        elif shape.type_name == "structure" and shape.name not in seen:
            seen.add(shape.name)
            found.update(shape.members)
            waiting += shape.members.values()
    return found


def _has_free_query(model: OperationModel) -> bool:
    """Whether a peer may name pieces of the query itself, those of other parameters among them."""
    members = {} if model.input_shape is None else model.input_shape.members
    return any(
        member.type_name == "map" and member.serialization.get("location") == "querystring"
        for member in members.values()
    )


def _plain(pattern: str = PLAIN_NAME, in_arn: str = "(?!)") -> Namer:
    """A name, or an ARN whose rest has it as `name`; anything else cannot be told."""

    def names(value: Any) -> Names:
        for text in value if isinstance(value, list) else [value]:
            yield _one(text, pattern, in_arn)

    return names


def _one(text: Any, pattern: str, in_arn: str) -> str | None:
    if not isinstance(text, str):
        return None
    arn = ARN.fullmatch(text)
    if arn is not None:
        found = re.fullmatch(in_arn, arn["rest"])
        return None if found is None else found["name"]
    found = re.fullmatch(pattern, text)
    if found is None:
        return None
    return found.groupdict().get("name") or text


def _untold(_value: Any) -> Names:
    """Of a parameter that names something in a way of its own."""
    return (None,)


def _keys(namer: Namer) -> Namer:
    """The keys of an object are names."""

    def names(value: Any) -> Iterator[str | None]:
        yield from namer(list(value)) if value else (None,)

    return names


def _transacted(namer: Namer) -> Namer:
    """Each item does one thing to one table."""

    def names(value: Any) -> Iterator[str | None]:
        for item in value:
            for deed in item.values():
                yield from namer(deed.get("TableName"))

    return names


def _queue(value: Any) -> Names:
    found = QUEUE_URL.fullmatch(value)
    return resources.QUEUE.find({"QueueUrl": found["path"] if found else ""})


_TABLE = _plain(in_arn=rf"table/(?P<name>{PLAIN_NAME})")
_TOPIC = _plain("(?!)", rf"(?P<name>{PLAIN_NAME})")
_STREAM = _plain(in_arn=rf"stream/(?P<name>{PLAIN_NAME})")
_FUNCTION_NAME = r"(?P<name>[0-9A-Za-z_-]+)(?::[0-9A-Za-z$_-]+)?"
_REGION = r"[a-z]{2,}(?:-[a-z]+)+-[0-9]+"
"""Lambda takes one before a name, too: what looks so before a colon may be either."""
_FUNCTION = _plain(
    rf"(?!{_REGION}:)(?:[0-9]{{12}}:)?+(?:function:)?+{_FUNCTION_NAME}",
    rf"function:{_FUNCTION_NAME}",
)
_GROUP_NAME = r"[0-9A-Za-z_./#-]+"
_GROUP = _plain(_GROUP_NAME, rf"log-group:(?P<name>{_GROUP_NAME})(?::\*)?")
_SECRET = _plain(r"[0-9A-Za-z/_+=.@-]+")
_PARAMETER = _plain(r"(?P<name>[0-9A-Za-z/_.-]+)(?::[0-9A-Za-z_.-]+)?")
_REPOSITORY = _plain(r"[0-9a-z/_.-]+")
_KEY_ID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|mrk-[0-9a-f]{32}"
_KEY = _plain(_KEY_ID, rf"key/(?P<name>{_KEY_ID})")

NAMINGS: Mapping[str, Naming] = {
    "dynamodb": Naming(
        "a table",
        {"TableName": _TABLE, "RequestItems": _keys(_TABLE), "TransactItems": _transacted(_TABLE)},
        nouns="table|backup|stream|bucket",
        harmless=frozenset({
            "TableClass",
            "StreamSpecification",
            "StreamEnabled",
            "StreamViewType",
        }),
    ),
    "ecr": Naming(
        "a repository", {"repositoryName": _REPOSITORY, "repositoryNames": _REPOSITORY}, PATHS
    ),
    "firehose": Naming("a stream", {"DeliveryStreamName": _plain()}, nouns="stream|configuration"),
    "kinesis": Naming(
        "a stream",
        {
            "StreamName": _plain(),
            "StreamARN": _STREAM,
            "StreamId": _untold,
            "ShardIterator": _untold,
            "ConsumerARN": _untold,
        },
        nouns="stream",
        harmless=frozenset({"StreamMode", "StreamModeDetails", "StreamCreationTimestamp"}),
    ),
    "kms": Naming(
        "a key's id",
        {
            "KeyId": _KEY,
            "SourceKeyId": _KEY,
            "DestinationKeyId": _KEY,
            "GrantToken": _untold,
        },
        nouns="keyid|alias|keystore",
        implied=frozenset({"KeyId", "SourceKeyId"}),  # a ciphertext tells its own
    ),
    "lambda": Naming(
        "a function",
        {"FunctionName": _FUNCTION},
        nouns="function|layer|role|bucket|image|destination",
    ),
    "logs": Naming(
        "a log group",
        {
            "logGroupName": _GROUP,
            "logGroupNames": _GROUP,
            "logGroupIdentifier": _GROUP,
            "logGroupIdentifiers": _GROUP,
        },
        PATHS,
        nouns="group|destination|bucket",
    ),
    "s3": Naming(
        "a bucket or an object",
        {"Bucket": _untold, "CopySource": _untold, "Key": _untold},
        nouns="bucket$|bucketname|renamesource|topic|queue|cloudfunction",
    ),
    "secretsmanager": Naming(
        "a secret's name",
        {"SecretId": _SECRET, "SecretIdList": _SECRET, "Filters": _untold, "Name": _SECRET},
        PATHS,
        nouns="secretid",
        harmless=frozenset({"ResourcePolicy"}),
    ),
    "sns": Naming(
        "a topic",
        {"TopicArn": _TOPIC, "TargetArn": _untold, "PhoneNumber": _untold},
        nouns="topic",
        harmless=frozenset({"ReturnSubscriptionArn"}),
    ),
    "sqs": Naming("a queue's name", {"QueueUrl": _queue}, nouns="queue"),
    "ssm": Naming(
        "a parameter's name",
        {"Name": _PARAMETER, "Names": _PARAMETER},
        PATHS,
        nouns="path|document|instance|target",
        only="_parameters?$|_parameter_(?:history|version)$",
    ),
}
