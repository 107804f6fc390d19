"""boto's signatures, byte for byte, without their cost; and no large hash on the event loop.

`faster(handler)` gives boto's auth handler in a form with the same output. Its classes derive from
boto's and replace what is slow; whatever is unusual about a request is left to boto's own code. The
clock is read through boto's own names for it. Beyond boto, a request is dated by the clock of the
servers if that is known to differ, and is sent under the name that its terms say.

A hash of much data is taken in a thread while the greenlet that asked for it is parked. Other keys
may be held by the time it goes on, so keys are read after the last such place, or at once before.
"""

import hashlib
import logging
import re
from base64 import b64encode
from datetime import timedelta
from functools import cache
from typing import Any
from urllib.parse import quote, unquote

from botod.pool.bodies import compute_hash, off_the_loop, sha256
from botod.pool.canonical import (
    keyed,
    keyed_v4,
    lines_to_sign,
    names_for_s3,
    names_for_v4,
    query_of,
    quoted,
    stamp_of,
    text_of,
)
from botod.pool.terms import current_terms

import boto.auth
import boto.utils

FORM = "application/x-www-form-urlencoded; charset=UTF-8"
CONTENT_SHA256 = "x-amz-content-sha256"
NOTHING = hashlib.sha256().hexdigest()
"""The hash of an empty body."""

PLAIN_PATH = re.compile(r"/(?:[A-Za-z0-9_.~%-][A-Za-z0-9_.~%/-]*)?")
"""Paths that are nothing but a path to urlparse, and that quoting does not change but for a `%`."""

NORMAL_PATH = re.compile(r"/|(?:/[A-Za-z0-9_~-][A-Za-z0-9_.~-]*)+")
"""Paths that normalizing does not change either: no `//`, no `.`, no slash at the end."""


class _Keyed:
    """What boto's HmacKeys signs: text, with the secret itself."""

    _provider: Any
    _hmac_256: Any

    def sign_string(self, string_to_sign: str) -> str:
        return b64encode(self._mac(string_to_sign)).decode()

    def _mac(self, text: str) -> bytes:
        mac = keyed(self._provider.secret_key, "sha256" if self._hmac_256 else "sha1").copy()
        data = text.encode()
        off_the_loop(len(data), lambda: mac.update(data))
        return mac.digest()


class HmacV1(_Keyed, boto.auth.HmacAuthV1Handler):  # type: ignore[misc]
    """S3's Signature Version 2."""

    def add_auth(self, http_request: Any, **_kwargs: Any) -> None:
        headers, provider = http_request.headers, self._provider
        if "Date" not in headers:
            headers["Date"] = boto.auth.formatdate(_late(provider), usegmt=True)
        if provider.security_token:
            headers[provider.security_token_header] = provider.security_token
        text = boto.utils.canonical_string(
            http_request.method, http_request.auth_path, headers, None, provider
        )
        boto.log.debug("StringToSign:\n%s", text)
        signature = self.sign_string(text)
        headers["Authorization"] = f"{provider.auth_header} {provider.access_key}:{signature}"


class HmacV2(_Keyed, boto.auth.HmacAuthV2Handler):  # type: ignore[misc]
    """CloudFront's."""


class HmacV3(_Keyed, boto.auth.HmacAuthV3Handler):  # type: ignore[misc]
    """Route 53's and SES's."""


class QueryV2(_Keyed, boto.auth.QuerySignatureV2AuthHandler):  # type: ignore[misc]
    """Signature Version 2 of SQS, SimpleDB and their like."""

    def add_auth(self, http_request: Any, **_kwargs: Any) -> None:
        request = http_request
        request.params["AWSAccessKeyId"] = self._provider.access_key
        request.params["SignatureVersion"] = self.SignatureVersion
        late = _late(self._provider)
        at = None if late is None else boto.utils.time.gmtime(late)
        request.params["Timestamp"] = boto.utils.get_ts(at)
        query, signature = self._calc_signature(
            request.params, request.method, request.auth_path, request.host
        )
        signed = f"{query}&Signature={quoted(signature)}"
        if request.method == "POST":
            request.body = signed
            request.headers["Content-Type"] = FORM
            request.headers["Content-Length"] = str(len(signed))
        else:
            request.body = ""
            request.path = f"{request.path.split('?')[0]}?{signed}"

    def _calc_signature(
        self, params: dict[str, Any], verb: str, path: str, server_name: str
    ) -> tuple[str, bytes]:
        params["SignatureMethod"] = self.algorithm()
        token = self._provider.security_token
        if token:
            params["SecurityToken"] = token
        query = query_of(params)
        boto.log.debug("query string: %s", query)
        return query, b64encode(self._mac(f"{verb}\n{server_name.lower()}\n{path}\n{query}"))


class PathQueryV2(QueryV2, boto.auth.POSTPathQSV2AuthHandler):  # type: ignore[misc]
    """The same for MWS, always in the path."""

    add_auth = boto.auth.POSTPathQSV2AuthHandler.add_auth


class HmacV4(boto.auth.HmacAuthV4Handler):  # type: ignore[misc]
    """Signature Version 4."""

    def add_auth(self, req: Any, **kwargs: Any) -> None:
        if kwargs:
            super().add_auth(req, **kwargs)
            return
        query = self.query_string(req)
        is_form = query and req.method == "POST"
        if is_form:
            req.body = query
        payload = self.payload(req)
        req.headers.pop("X-Amzn-Authorization", None)
        date = self._stamp(req.headers)
        if is_form:
            req.headers["Content-Type"] = FORM
            req.headers["Content-Length"] = str(len(query))
        else:
            path = req.path.split("?")[0]
            req.path = f"{path}?{query}" if query else path
        signed_query = "" if req.method == "POST" else query
        self._authorize(req, date, signed_query, payload)

    def _stamp(self, headers: dict[str, Any]) -> str:
        at = boto.auth.datetime.datetime.utcnow()
        provider = self._provider
        offset_s = getattr(provider, "clock_offset_s", 0.0)  # boto's own do not know
        if offset_s:
            at += timedelta(seconds=offset_s)
        date = headers["X-Amz-Date"] = stamp_of(at.replace(microsecond=0))
        token = provider.security_token
        if token:
            headers["X-Amz-Security-Token"] = token
        return date

    def _authorize(self, req: Any, date: str, query: str, payload: str) -> None:
        """Sign what was put together. Nothing parks from the reading of the token to the end."""
        names, lines = self._names_and_lines(req)
        canonical = "\n".join((
            req.method.upper(),
            self.canonical_uri(req),
            query,
            *lines,
            "",
            names,
            payload,
        ))
        day = req.timestamp = date[:8]
        region = self.region_name
        if region is None:
            region = self.determine_region_name(req.host)
        req.region_name = region
        service = req.service_name = self.determine_service_name(req.host)
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        scope = f"{day}/{region}/{service}/aws4_request"
        text = f"AWS4-HMAC-SHA256\n{date}\n{scope}\n{digest}"
        if boto.log.isEnabledFor(logging.DEBUG):
            boto.log.debug("CanonicalRequest:\n%s", canonical)
            boto.log.debug("StringToSign:\n%s", text)
        req.headers["Authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={self._provider.access_key}/{scope},"
            f"SignedHeaders={names},Signature={self.signature(req, text)}"
        )

    def _names_and_lines(self, req: Any) -> tuple[str, list[str]]:
        """The names of the headers that are signed, joined, and their lines."""
        host = str(req.headers.get("Host") or self.host_header(self.host, req))
        headers = {**req.headers, "Host": host}
        names, signed = names_for_v4(tuple(headers))
        return names, lines_to_sign(headers, signed, text_of)

    def determine_service_name(self, host: str) -> str:
        known = self.service_name
        return str(super().determine_service_name(host)) if known is None else known

    def signature(self, http_request: Any, string_to_sign: str) -> str:
        mac = keyed_v4(
            self._provider.secret_key,
            http_request.timestamp,
            http_request.region_name,
            http_request.service_name,
        ).copy()
        mac.update(string_to_sign.encode())
        return mac.hexdigest()

    def query_string(self, http_request: Any) -> str:
        return query_of(http_request.params)

    def canonical_uri(self, http_request: Any) -> str:
        path: str = http_request.auth_path
        return path if NORMAL_PATH.fullmatch(path) else str(super().canonical_uri(http_request))

    def payload(self, http_request: Any) -> str:
        body = http_request.body
        if isinstance(body, (bytes, str)):
            return sha256(body if isinstance(body, bytes) else body.encode()) if body else NOTHING
        if hasattr(body, "seek") and hasattr(body, "read"):
            return str(compute_hash(body, hash_algorithm=hashlib.sha256)[0])
        return sha256(body.encode())


class S3HmacV4(boto.auth.S3HmacAuthV4Handler, HmacV4):  # type: ignore[misc]
    """Signature Version 4 as S3 has it."""

    def add_auth(self, req: Any, **kwargs: Any) -> None:
        headers = req.headers
        if CONTENT_SHA256 not in headers and "_sha256" not in headers:
            headers[CONTENT_SHA256] = HmacV4.payload(self, req)
        elif CONTENT_SHA256 not in headers:
            headers[CONTENT_SHA256] = headers.pop("_sha256")
        if kwargs or not headers[CONTENT_SHA256]:
            super().add_auth(req, **kwargs)
            return
        headers.pop("X-Amzn-Authorization", None)
        date = self._stamp(headers)
        form = self.query_string(req) if req.method == "POST" else ""
        if form:  # boto signs, and declares, a body that it does not send
            headers["Content-Type"] = FORM
            headers["Content-Length"] = str(len(form))
        is_plain = PLAIN_PATH.fullmatch(req.auth_path)
        signed = req if is_plain else self.mangle_path_and_params(req)
        query = self.query_string(signed) if signed.params else ""
        self._authorize(signed, date, query, headers[CONTENT_SHA256])

    def _names_and_lines(self, req: Any) -> tuple[str, list[str]]:
        headers = {"Host": self.host_header(self.host, req), **req.headers}
        names, signed = names_for_s3(tuple(headers))
        return names, lines_to_sign(headers, signed, str)

    def canonical_uri(self, http_request: Any) -> str:
        path: str = http_request.path.partition("?")[0]
        if not PLAIN_PATH.fullmatch(path):
            return str(super().canonical_uri(http_request))
        return quote(unquote(path), safe="/~") if "%" in path else path


class _Named:
    """A handler by which requests go out under the name that their terms say.

    boto writes its own into each request at once before it has it signed, name and all.
    """

    def add_auth(self, http_request: Any, **kwargs: Any) -> None:
        name = current_terms().user_agent
        if name:
            http_request.headers["User-Agent"] = name
        super().add_auth(http_request, **kwargs)  # type: ignore[misc]


_FASTER: dict[type, type] = {
    boto.auth.HmacAuthV1Handler: HmacV1,
    boto.auth.HmacAuthV2Handler: HmacV2,
    boto.auth.HmacAuthV3Handler: HmacV3,
    boto.auth.HmacAuthV4Handler: HmacV4,
    boto.auth.S3HmacAuthV4Handler: S3HmacV4,
    boto.auth.QuerySignatureV2AuthHandler: QueryV2,
    boto.auth.POSTPathQSV2AuthHandler: PathQueryV2,
}


def faster(handler: Any) -> Any:
    """`handler` with the same output for less, if its class is boto's; any other as it is."""
    fast_class = _FASTER.get(type(handler))
    if fast_class is None:
        return handler
    fast: Any = object.__new__(named(fast_class))
    fast.__dict__.update(handler.__dict__)
    return fast


@cache
def named(handler_class: type) -> type:
    """The same, by which requests go out under the name that their terms say."""
    return type(handler_class.__name__, (_Named, handler_class), {})


def _late(provider: Any) -> float | None:
    """The time at the servers, in seconds since the epoch; None: that of this host."""
    offset_s = getattr(provider, "clock_offset_s", 0.0)
    return boto.utils.time.time() + offset_s if offset_s else None
