"""What the models do not say, and botocore's handlers know: a table, by service and operation.

botocore's own handlers are functions of its clients' event system, with its requests and contexts
as arguments; few of them concern what boto does not do already, and these few are shorter here.
"""

import base64
import hashlib
import io
import json
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import unquote

from botocore.model import OperationModel
from botocore.utils import calculate_tree_hash

from botod.daemon.models.quirk import PLAIN, Quirk
from botod.daemon.models.s3_quirks import S3_QUIRKS
from botod.daemon.services.operation import Params, Result
from botod.daemon.services.shapes import Blob, InvalidParam
from botod.pool.signing import CONTENT_SHA256


def quirk_of(service: str, name: str) -> Quirk:
    """That of an operation; one of its own goes before one of its service."""
    return _QUIRKS.get(f"{service}.{name}") or _QUIRKS.get(service) or PLAIN


def decoded_document(text: str) -> Any:
    """IAM's policies come as JSON, quoted as in a URL; boto3 gives what they say."""
    try:
        return json.loads(unquote(text))
    except (ValueError, RecursionError):
        return text


DECODED = {"iam": {"policyDocumentType": decoded_document}}
"""Texts that stand for something else, by service and shape."""


def _with_text_of_user_data(_model: OperationModel, params: Params) -> Params:
    return _changed(params, "UserData", lambda data: base64.b64encode(data).decode())


def _with_plain_ids(model: OperationModel, params: Params) -> Params:
    """Route 53 gives `/hostedzone/Z1` as an Id, and takes `Z1` only."""
    assert model.input_shape is not None, "an operation of Route 53 that takes an Id"
    shapes = model.input_shape.members
    names = [name for name in params if shapes[name].name in ROUTE53_IDS]
    for name in names:
        params = _changed(params, name, partial(_plain_id, name))
    return params


def _plain_id(name: str, text: str) -> str:
    plain = text.rpartition("/")[2]
    if not plain:  # the path of another operation
        raise InvalidParam(f"{name} ends in '/': it has to end in an id")
    return plain


ROUTE53_IDS = frozenset({"ChangeId", "DelegationSetId", "ResourceId"})


def _with_account(_model: OperationModel, params: Params) -> Params:
    """Glacier's `-` is the account of the keys."""
    return {"accountId": "-"} | params


def _glacier_headers(model: OperationModel, _body: bytes) -> dict[str, str]:
    return {"x-amz-glacier-version": str(model.metadata["apiVersion"])}


def _glacier_checksums(model: OperationModel, body: bytes) -> dict[str, str]:
    return _glacier_headers(model, body) | {
        CONTENT_SHA256: hashlib.sha256(body).hexdigest(),
        "x-amz-sha256-tree-hash": calculate_tree_hash(io.BytesIO(body)),
    }


def _asking_for_json(_model: OperationModel, _body: bytes) -> dict[str, str]:
    return {"Accept": "application/json"}


def _with_console_output(_params: Params, result: Result, _body: bytes) -> Result:
    return _changed(result, "Output", lambda text: base64.b64decode(text).decode(errors="replace"))


def _with_template(_params: Params, result: Result, _body: bytes) -> Result:
    return _changed(result, "TemplateBody", _template)


def _template(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):  # YAML
        return text


def _changed(values: dict[str, Any], name: str, change: Callable[[Any], Any]) -> dict[str, Any]:
    return {**values, name: change(values[name])} if values.get(name) is not None else values


_ACCOUNT = frozenset({"accountId"})

_GLACIER_UPLOAD = Quirk(filled=_ACCOUNT, before=_with_account, headers=_glacier_checksums)

_USER_DATA = Quirk(own={"UserData": Blob()}, before=_with_text_of_user_data)

_QUIRKS = {
    "apigateway": Quirk(headers=_asking_for_json),
    "autoscaling.create_launch_configuration": _USER_DATA,
    "cloudformation.get_template": Quirk(after=_with_template),
    "ec2.get_console_output": Quirk(after=_with_console_output),
    "ec2.run_instances": _USER_DATA,
    "glacier": Quirk(filled=_ACCOUNT, before=_with_account, headers=_glacier_headers),
    "glacier.upload_archive": _GLACIER_UPLOAD,
    "glacier.upload_multipart_part": _GLACIER_UPLOAD,
    "route53": Quirk(before=_with_plain_ids),
    "s3control": Quirk(is_prefixed=False),
} | S3_QUIRKS
