"""SimpleDB's actions: parameters in, XML out. No I/O.

The table ACTIONS has one function an action.
"""

import base64
import re
import threading
import time
import uuid
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass

from botod.daemon.demo.conditions import Attributes
from botod.daemon.demo.domains import Domains, Expected, Put, Removal
from botod.daemon.demo.errors import Refused
from botod.daemon.demo.form import Form, parsed
from botod.daemon.demo.limits import MAX_LISTED_DOMAINS, invalid
from botod.daemon.demo.signature import Call, Keys, check

VERSION = "2009-04-15"
NAMESPACE = f"http://sdb.amazonaws.com/doc/{VERSION}/"

BOX_USAGE = "0.0000219907"
"""Hours of a machine that a call is said to have cost: always the same."""

# XML 1.0 has no other characters; a carriage return is one, but would be read as a line feed.
_NOT_IN_XML = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class Request:
    """A call as it came. parameters: the query string and the form, percent-encoded."""

    method: str
    host: str
    path: str
    parameters: str


@dataclass(frozen=True)
class Answer:
    """What goes back. body: XML."""

    status: int
    body: bytes


Result = Iterable[ET.Element] | None
"""The children of an answer's result; None if it has none."""


class SimpleDB:
    """The service: checks who calls and does what is asked, one call at a time."""

    def __init__(self, keys: Keys, clock: Callable[[], float] = time.time) -> None:
        self._keys = keys
        self._clock = clock
        self._domains = Domains()
        self._turn = threading.Lock()

    def answer(self, request: Request) -> Answer:
        try:
            form = parsed(request.parameters)
            call = Call(request.method, request.host, request.path, form)
            check(self._keys, call, self._clock())
            action = _action(form)
            with self._turn:
                result = ACTIONS[action](self._domains, form)
        except Refused as error:
            return error_answer(error)
        return _good_answer(action, result)


def error_answer(error: Refused) -> Answer:
    """An error as SimpleDB words it."""
    root = ET.Element("Response")
    element = ET.SubElement(ET.SubElement(root, "Errors"), "Error")
    element.append(_text("Code", error.code))
    element.append(_text("Message", error.message))
    element.append(_text("BoxUsage", BOX_USAGE))
    root.append(_text("RequestID", str(uuid.uuid4())))
    return Answer(error.status, _document(root))


def _good_answer(action: str, result: Result) -> Answer:
    root = ET.Element(f"{action}Response", xmlns=NAMESPACE)
    if result is not None:
        ET.SubElement(root, f"{action}Result").extend(result)
    metadata = ET.SubElement(root, "ResponseMetadata")
    metadata.append(_text("RequestId", str(uuid.uuid4())))
    metadata.append(_text("BoxUsage", BOX_USAGE))
    return Answer(200, _document(root))


def _document(root: ET.Element) -> bytes:
    document: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return document


def _action(form: Form) -> str:
    action = form.optional("Action")
    if action is None:
        raise Refused("MissingAction", "No action was supplied with this request.")
    if action not in ACTIONS:
        raise Refused("InvalidAction", f"The action {action} is not valid for this web service.")
    version = form.required("Version")
    if version != VERSION:
        raise Refused(
            "NoSuchVersion",
            f"The requested version ({version}) of service AmazonSimpleDB does not exist.",
        )
    return action


def _create_domain(domains: Domains, form: Form) -> Result:
    domains.create(form.required("DomainName"))
    return None


def _delete_domain(domains: Domains, form: Form) -> Result:
    domains.delete(form.required("DomainName"))
    return None


def _list_domains(domains: Domains, form: Form) -> Result:
    text = form.optional("MaxNumberOfDomains") or str(MAX_LISTED_DOMAINS)
    if not re.fullmatch("[0-9]{1,9}", text):
        raise invalid("MaxNumberOfDomains", text, "It must be a number.")
    names, token = domains.list_names(int(text), form.optional("NextToken") or "")
    return [*(_text("DomainName", name) for name in names), *_next_token(token)]


def _domain_metadata(domains: Domains, form: Form) -> Result:
    counts = asdict(domains.metadata(form.required("DomainName")))
    fields = {name.title().replace("_", ""): str(count) for name, count in counts.items()}
    fields["Timestamp"] = str(int(time.time()))
    return [_text(name, text) for name, text in fields.items()]


def _put_attributes(domains: Domains, form: Form) -> Result:
    domain, item = form.required("DomainName"), form.required("ItemName")
    domains.put(domain, item, _puts(form), _expected(form))
    return None


def _batch_put_attributes(domains: Domains, form: Form) -> Result:
    batch = [(item.required("ItemName"), _puts(item)) for item in form.groups("Item")]
    domains.batch_put(form.required("DomainName"), batch)
    return None


def _get_attributes(domains: Domains, form: Form) -> Result:
    form.flag("ConsistentRead", default=False)  # every read is; but it has to be a flag
    domain, item = form.required("DomainName"), form.required("ItemName")
    return _attributes(domains.get(domain, item, form.numbered("AttributeName")))


def _delete_attributes(domains: Domains, form: Form) -> Result:
    domain, item = form.required("DomainName"), form.required("ItemName")
    domains.delete_attributes(domain, item, _removals(form), _expected(form))
    return None


def _batch_delete_attributes(domains: Domains, form: Form) -> Result:
    batch = [(item.required("ItemName"), _removals(item)) for item in form.groups("Item")]
    domains.batch_delete(form.required("DomainName"), batch)
    return None


def _select(domains: Domains, form: Form) -> Result:
    form.flag("ConsistentRead", default=False)
    page = domains.select(form.required("SelectExpression"), form.optional("NextToken") or "")
    items = []
    for name, attributes in page.items:
        item = ET.Element("Item")
        item.append(_text("Name", name))
        item.extend(_attributes(attributes))
        items.append(item)
    return [*items, *_next_token(page.next_token)]


def _puts(form: Form) -> list[Put]:
    return [
        Put(part.required("Name"), part.required("Value"), part.flag("Replace", default=False))
        for part in form.groups("Attribute")
    ]


def _removals(form: Form) -> list[Removal]:
    return [
        Removal(part.required("Name"), part.optional("Value")) for part in form.groups("Attribute")
    ]


def _expected(form: Form) -> Expected | None:
    groups = form.groups("Expected")
    if not groups and (plain := form.part("Expected")).fields:
        groups = [plain]  # AWS's own SDKs leave the number out, boto 2 writes it
    if len(groups) > 1:
        raise Refused("MultipleExpectedNames", "Only one Expected.Name can be specified.")
    for part in groups:
        exists = part.flag("Exists", default=True)
        return Expected(part.required("Name"), part.optional("Value"), exists)
    return None


def _attributes(attributes: Attributes) -> list[ET.Element]:
    elements = []
    for name, values in attributes.items():
        for value in values:
            element = ET.Element("Attribute")
            element.append(_text("Name", name))
            element.append(_text("Value", value))
            elements.append(element)
    return elements


def _next_token(token: str) -> list[ET.Element]:
    return [_text("NextToken", token)] if token else []


def _text(name: str, text: str) -> ET.Element:
    """An element with a text; one that XML cannot carry goes out as base64, and says so."""
    element = ET.Element(name)
    element.text = text
    if _NOT_IN_XML.search(text):
        element.set("encoding", "base64")
        element.text = base64.b64encode(text.encode()).decode()
    return element


ACTIONS: Mapping[str, Callable[[Domains, Form], Result]] = {
    "CreateDomain": _create_domain,
    "DeleteDomain": _delete_domain,
    "ListDomains": _list_domains,
    "DomainMetadata": _domain_metadata,
    "PutAttributes": _put_attributes,
    "BatchPutAttributes": _batch_put_attributes,
    "GetAttributes": _get_attributes,
    "DeleteAttributes": _delete_attributes,
    "BatchDeleteAttributes": _batch_delete_attributes,
    "Select": _select,
}
"""The actions of API version 2009-04-15, all of them."""
