"""AWS's Signature Version 2, as the side that is called checks it. No I/O."""

import base64
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import quote

from botod.daemon.demo.errors import Refused
from botod.daemon.demo.form import Form
from botod.daemon.demo.limits import invalid

METHODS: Mapping[str, str] = {"HmacSHA256": "sha256", "HmacSHA1": "sha1"}

EXPIRY_S = 15 * 60.0
"""How far a request's time may be from ours."""


@dataclass(frozen=True)
class Keys:
    """The account's keys."""

    access_key: str
    secret_key: str = field(repr=False)


@dataclass(frozen=True)
class Call:
    """What is signed. host: as its header says it, with the port if it stands there."""

    method: str
    host: str
    path: str
    form: Form


def signature(secret_key: str, call: Call) -> str:
    """The signature that a call should have."""
    pairs = sorted(
        (name.encode(), value.encode())
        for name, value in call.form.fields.items()
        if name != "Signature"
    )
    query = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in pairs)
    text = f"{call.method}\n{call.host.lower()}\n{call.path}\n{query}"
    digest = METHODS[call.form.required("SignatureMethod")]
    return base64.b64encode(hmac.digest(secret_key.encode(), text.encode(), digest)).decode()


def check(keys: Keys, call: Call, now_s: float) -> None:
    """Raise Refused unless the call was signed with these keys and is of this time."""
    form = call.form
    access_key = form.optional("AWSAccessKeyId")
    if access_key is None:
        raise Refused(
            "AuthMissingFailure",
            "AWS was not able to authenticate the request: access keys are missing.",
        )
    _check_version(form)
    given = form.required("Signature")
    if not hmac.compare_digest(access_key.encode(), keys.access_key.encode()):
        raise Refused(
            "InvalidClientTokenId",
            "The AWS Access Key Id you provided does not exist in our records.",
        )
    ours = signature(keys.secret_key, call)
    if not hmac.compare_digest(given.encode(), ours.encode()):
        raise Refused(
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided. "
            "Check your AWS Secret Access Key and signing method.",
        )
    _check_time(form, now_s)


def _check_version(form: Form) -> None:
    version, method = form.required("SignatureVersion"), form.required("SignatureMethod")
    if version != "2" or method not in METHODS:
        raise Refused(
            "AuthFailure",
            "AWS was not able to validate the request: it takes signature version 2 with "
            f"{' or '.join(METHODS)}.",
        )


def _check_time(form: Form, now_s: float) -> None:
    """Timestamp says when the request was made, or Expires until when it is good."""
    if form.optional("Expires") is not None:
        name, good = "Expires", now_s <= _seconds(form, "Expires")
    else:
        name, good = "Timestamp", abs(now_s - _seconds(form, "Timestamp")) <= EXPIRY_S
    if not good:
        raise Refused(
            "RequestExpired", f"Request has expired. {name} date is {form.required(name)}"
        )


def _seconds(form: Form, name: str) -> float:
    text = form.required(name)
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise invalid(name, text, "It must be a date and time of ISO 8601.") from None
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
