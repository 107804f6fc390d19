"""AWS's query protocol, as SQS and SimpleDB speak it: parameters in a form, XML back.

By POST always: a GET would put messages into URLs, and so into other people's logs.
"""

import base64
import xml.etree.ElementTree as ET
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

from botod.daemon.services.answers import first_of, metadata, read_document, text_of
from botod.daemon.services.operation import Endpoint, Params, Result
from botod.pool import HeldKeys, Pool, pooled

from boto.regioninfo import RegionInfo

T = TypeVar("T")

Form = dict[str, str]


def connect(connection_class: type, pool: Pool, keys: HeldKeys, endpoint: Endpoint) -> Any:
    """A connection of one of boto's classes for this protocol."""
    ours = pooled(connection_class)
    return (_old(ours) if endpoint.signature == "v2" else ours)(
        pool=pool,
        keys=keys,
        region=RegionInfo(name=endpoint.region, endpoint=endpoint.host),
        **endpoint.boto_arguments(),
    )


@cache
def _old(connection_class: type) -> type:
    """The same with Signature Version 2."""
    capability = {"_required_auth_capability": lambda _self: ["sign-v2"]}
    return type(f"Old{connection_class.__name__}", (connection_class,), capability)


def ask(connection: Any, action: str, form: Form, path: str = "/") -> tuple[ET.Element, Result]:
    """Do one action: the answer's `<Action>Result` element (or its root), and its metadata."""
    return ask_and_read(connection, action, form, path, lambda result: result)


def ask_and_read(
    connection: Any, action: str, form: Form, path: str, read: Callable[[ET.Element], T]
) -> tuple[T, Result]:
    """`ask`, and what `read` makes of the element; of a long answer in a thread."""
    response = connection.make_request(action, form, path, "POST")

    def read_root(root: ET.Element) -> tuple[T, str | None]:
        result = first_of(root, f"{action}Result")
        inner = first_of(root, "ResponseMetadata")
        request_id = None if inner is None else text_of(inner, "RequestId") or ""
        return read(root if result is None else result), request_id

    found, request_id = read_document(response, f"{action}Response", read_root)
    meta = metadata(response)
    if request_id is not None:
        meta["ResponseMetadata"]["RequestId"] = request_id
    return found, meta


def scalars(params: Params, *names: str) -> Form:
    """Those of the params that are there and go into the form as they are."""
    form = {}
    for name in names:
        if name in params:
            value = params[name]
            form[name] = value if type(value) is str else as_text(value)
    return form


def numbered(name: str, values: list[Any]) -> Form:
    """A list, as `Name.1`, `Name.2` and so on."""
    return {f"{name}.{number}": as_text(value) for number, value in enumerate(values, 1)}


def prefixed(prefix: str, form: Form) -> Form:
    return {f"{prefix}.{name}": value for name, value in form.items()}


def as_text(value: Any) -> str:
    """A value as the query protocol writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return str(value)
