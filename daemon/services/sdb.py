"""SimpleDB: its connection and its table of operations."""

import json
from functools import partial
from typing import Any

from botod.daemon.services.answers import all_of, plain, text_of, texts_of, whole_number
from botod.daemon.services.operation import Operation, Params, Result, Service
from botod.daemon.services.query import (
    Form,
    ask,
    ask_and_read,
    connect,
    numbered,
    prefixed,
    scalars,
)
from botod.daemon.services.resources import DOMAIN, SELECTED, UNTOLD
from botod.daemon.services.sdb_rows import Rows
from botod.daemon.services.shapes import Destination, Flag, ListOf, Number, Shape, Struct, Text

from boto.sdb.connection import SDBConnection

MAX_TEXT_BYTES = 1024
"""SimpleDB's bound on the name of an item or attribute, and on a value."""

MAX_ATTRIBUTES = 256
"""SimpleDB's bound, of one item in one request."""

MAX_ITEMS = 25
"""SimpleDB's bound, of one batch."""

MAX_SELECT_BYTES = 512 * 1024
"""Of a select: SimpleDB takes 20 predicates of 20 values, each up to a KiB, and names beside."""

MAX_TOKEN_BYTES = 8 * 1024
"""Of a place in a list, which SimpleDB does not say; it holds the last item's name."""


def create_domain(connection: Any, params: Params) -> Result:
    return ask(connection, "CreateDomain", scalars(params, "DomainName"))[1]


def delete_domain(connection: Any, params: Params) -> Result:
    return ask(connection, "DeleteDomain", scalars(params, "DomainName"))[1]


def list_domains(connection: Any, params: Params) -> Result:
    form = scalars(params, "MaxNumberOfDomains", "NextToken")
    result, meta = ask(connection, "ListDomains", form)
    names = [plain(name) for name in all_of(result, "DomainName")]
    return {"DomainNames": names} | texts_of(result, ("NextToken",)) | meta


def domain_metadata(connection: Any, params: Params) -> Result:
    result, meta = ask(connection, "DomainMetadata", scalars(params, "DomainName"))
    return {name: whole_number(text_of(result, name), name) for name in _COUNTS} | meta


def put_attributes(connection: Any, params: Params) -> Result:
    form = scalars(params, "DomainName", "ItemName")
    form |= _attributes_form(params["Attributes"]) | _expected_form(params)
    return ask(connection, "PutAttributes", form)[1]


def batch_put_attributes(connection: Any, params: Params) -> Result:
    return ask(connection, "BatchPutAttributes", _batch_form(params))[1]


def get_attributes(connection: Any, params: Params) -> Result:
    form = scalars(params, "DomainName", "ItemName", "ConsistentRead")
    form |= numbered("AttributeName", params.get("AttributeNames", []))
    attributes, meta = ask_and_read(connection, "GetAttributes", form, "/", _attributes)
    return {"Attributes": attributes} | meta


def delete_attributes(connection: Any, params: Params) -> Result:
    form = scalars(params, "DomainName", "ItemName")
    form |= _attributes_form(params.get("Attributes", [])) | _expected_form(params)
    return ask(connection, "DeleteAttributes", form)[1]


def batch_delete_attributes(connection: Any, params: Params) -> Result:
    return ask(connection, "BatchDeleteAttributes", _batch_form(params))[1]


def select(connection: Any, params: Params) -> Result:
    """A page; NextToken tells that there is another one, even behind an empty page."""
    form = scalars(params, "SelectExpression", "NextToken", "ConsistentRead")
    page, meta = ask_and_read(connection, "Select", form, "/", _page)
    return page | meta


def select_all(connection: Any, params: Params) -> Result:
    """All pages in one body, a line of JSON an item."""

    def ask(token: str | None) -> tuple[bytes, str | None]:
        here = form if token is None else form | {"NextToken": token}
        return ask_and_read(connection, "Select", here, "/", _lines)[0]

    form = scalars(params, "SelectExpression", "ConsistentRead")
    return {"Body": Rows(ask)}


def _attributes_form(attributes: list[Params]) -> Form:
    form: Form = {}
    for number, attribute in enumerate(attributes, 1):
        form |= prefixed(f"Attribute.{number}", scalars(attribute, "Name", "Value", "Replace"))
    return form


def _batch_form(params: Params) -> Form:
    form = scalars(params, "DomainName")
    for number, item in enumerate(params["Items"], 1):
        fields = {"ItemName": item["Name"]} | _attributes_form(item.get("Attributes", []))
        form |= prefixed(f"Item.{number}", fields)
    return form


def _expected_form(params: Params) -> Form:
    return prefixed("Expected.1", scalars(params.get("Expected", {}), "Name", "Value", "Exists"))


def _page(result: Any) -> Result:
    items = [_item(item) for item in all_of(result, "Item")]
    return {"Items": items} | texts_of(result, ("NextToken",))


def _lines(result: Any) -> tuple[bytes, str | None]:
    """A page's items as lines, and where the next page is."""
    lines = [json.dumps(_item(item), ensure_ascii=False) for item in all_of(result, "Item")]
    return "".join(f"{line}\n" for line in lines).encode(), text_of(result, "NextToken")


def _item(item: Any) -> Result:
    return {"Name": text_of(item, "Name") or "", "Attributes": _attributes(item)}


def _attributes(element: Any) -> list[dict[str, str]]:
    return [
        {"Name": text_of(attribute, "Name") or "", "Value": text_of(attribute, "Value") or ""}
        for attribute in all_of(element, "Attribute")
    ]


_COUNTS = (
    "ItemCount",
    "ItemNamesSizeBytes",
    "AttributeNameCount",
    "AttributeNamesSizeBytes",
    "AttributeValueCount",
    "AttributeValuesSizeBytes",
    "Timestamp",
)
_NAME = Text(1, max_bytes=MAX_TEXT_BYTES)
_TEXT = Text(max_bytes=MAX_TEXT_BYTES)
_TOKEN = Text(1, max_bytes=MAX_TOKEN_BYTES)
_DOMAIN: dict[str, Shape] = {"DomainName": Text(min_length=3, max_length=255)}
_ITEM: dict[str, Shape] = _DOMAIN | {"ItemName": _NAME}
_VALUE = Struct({"Name": _NAME, "Value": _TEXT}, {"Replace": Flag()})
_VALUES = ListOf(_VALUE, 1, MAX_ATTRIBUTES)
_REMOVALS: dict[str, Shape] = {
    "Attributes": ListOf(Struct({"Name": _NAME}, {"Value": _TEXT}), 0, MAX_ATTRIBUTES)
}
_EXPECTED: dict[str, Shape] = {
    "Expected": Struct({"Name": _NAME}, {"Value": _TEXT, "Exists": Flag()})
}

SERVICE: Service = Service(
    connect=partial(connect, SDBConnection),
    operations={
        "create_domain": Operation(
            Struct(_DOMAIN), create_domain, idempotent=True, resources=DOMAIN
        ),
        "delete_domain": Operation(
            Struct(_DOMAIN), delete_domain, idempotent=True, resources=DOMAIN
        ),
        "list_domains": Operation(
            Struct({}, {"MaxNumberOfDomains": Number(1, 100), "NextToken": _TOKEN}),
            list_domains,
            idempotent=True,
            resources=UNTOLD,
        ),
        "domain_metadata": Operation(
            Struct(_DOMAIN), domain_metadata, idempotent=True, resources=DOMAIN
        ),
        "put_attributes": Operation(
            Struct(_ITEM | {"Attributes": _VALUES}, _EXPECTED),
            put_attributes,
            idempotent=True,  # an item's values are a set
            resources=DOMAIN,
            unless=("Expected",),
        ),
        "batch_put_attributes": Operation(
            Struct(
                _DOMAIN
                | {"Items": ListOf(Struct({"Name": _NAME, "Attributes": _VALUES}), 1, MAX_ITEMS)}
            ),
            batch_put_attributes,
            idempotent=True,
            resources=DOMAIN,
        ),
        "get_attributes": Operation(
            Struct(
                _ITEM,
                {"AttributeNames": ListOf(_NAME, 0, MAX_ATTRIBUTES), "ConsistentRead": Flag()},
            ),
            get_attributes,
            idempotent=True,
            resources=DOMAIN,
        ),
        "delete_attributes": Operation(
            Struct(
                _ITEM,
                _EXPECTED | _REMOVALS,
            ),
            delete_attributes,
            idempotent=True,
            resources=DOMAIN,
            unless=("Expected",),
        ),
        "batch_delete_attributes": Operation(
            Struct(_DOMAIN | {"Items": ListOf(Struct({"Name": _NAME}, _REMOVALS), 1, MAX_ITEMS)}),
            batch_delete_attributes,
            idempotent=True,
            resources=DOMAIN,
        ),
        "select": Operation(
            Struct(
                {"SelectExpression": Text(1, max_bytes=MAX_SELECT_BYTES)},
                {"NextToken": _TOKEN, "ConsistentRead": Flag()},
            ),
            select,
            idempotent=True,
            resources=SELECTED,
        ),
        "select_all": Operation(
            Struct(
                {"SelectExpression": Text(1, max_bytes=MAX_SELECT_BYTES)},
                {"ConsistentRead": Flag(), "Body": Destination()},
            ),
            select_all,
            idempotent=True,
            resources=SELECTED,
            receives="Body",
            is_composite=True,
            acts_as="select",
        ),
    },
)
