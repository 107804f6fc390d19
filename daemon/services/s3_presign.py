"""URLs that let whoever has them do one thing: Signature Version 4 in the query. No network."""

import hashlib
import http.client
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from botod.daemon.services.operation import Params, Result
from botod.daemon.services.s3_headers import (
    PUT,
    READ,
    READ_QUERY,
    WHOSE,
    headers_of,
    metadata_headers,
    query_of,
)
from botod.daemon.services.shapes import InvalidParam
from botod.pool.canonical import keyed_v4

MAX_EXPIRES_S = 7 * 24 * 3600
"""S3's bound."""

DEFAULT_EXPIRES_S = 3600
"""boto3's."""

METHODS = {
    "get_object": ("GET", READ, READ_QUERY),
    "head_object": ("HEAD", READ, READ_QUERY),
    "put_object": ("PUT", PUT, {}),
    "delete_object": ("DELETE", WHOSE, {"VersionId": "versionId"}),
}
"""What can be presigned: HTTP's method, and the headers and the query that params become."""

ALGORITHM = "AWS4-HMAC-SHA256"


def generate_presigned_url(connection: Any, params: Params) -> Result:
    method, header_names, query_names = METHODS[params["ClientMethod"]]
    asked = params["Params"]
    metadata = {"Metadata"} if method == "PUT" else set()
    known = {"Bucket", "Key", *header_names, *query_names, *metadata}
    for name in asked:
        if name not in known:
            raise InvalidParam(f"Params.{name} is not known for {params['ClientMethod']}")
    headers = headers_of(asked, header_names) | metadata_headers(asked)
    signed = _Signed(connection.for_bucket(asked["Bucket"]), asked["Bucket"], asked["Key"])
    expires_s = params.get("ExpiresIn", DEFAULT_EXPIRES_S)
    return {"Url": signed.url(method, headers, query_of(asked, query_names), expires_s)}


class _Signed:
    """An object that URLs are made for."""

    def __init__(self, connection: Any, bucket: str, key: str) -> None:
        style = connection.calling_format
        self._keys = connection.provider
        self._region = connection.auth_region_name
        self._is_secure = connection.is_secure
        host = style.build_host(connection.server_name(), bucket)
        usual = http.client.HTTPS_PORT if connection.is_secure else http.client.HTTP_PORT
        self._host = host if connection.port == usual else f"{host}:{connection.port}"
        folder = style.build_path_base(bucket)
        self._path = folder + quote(key, safe="/~")

    def url(
        self, method: str, headers: dict[str, str], query: dict[str, str], expires_s: int
    ) -> str:
        """headers: those that have to come with the request."""
        now = datetime.now(UTC) + timedelta(seconds=self._keys.clock_offset_s)
        date = now.strftime("%Y%m%dT%H%M%SZ")
        scope = f"{date[:8]}/{self._region}/s3/aws4_request"
        lines = {name.lower(): " ".join(value.split()) for name, value in headers.items()}
        lines = dict(sorted((lines | {"host": self._host}).items()))
        query = query | {
            "X-Amz-Algorithm": ALGORITHM,
            "X-Amz-Credential": f"{self._keys.access_key}/{scope}",
            "X-Amz-Date": date,
            "X-Amz-Expires": str(expires_s),
            "X-Amz-SignedHeaders": ";".join(lines),
        }
        if self._keys.security_token:
            query["X-Amz-Security-Token"] = self._keys.security_token
        pairs = [(_quoted(name), _quoted(value)) for name, value in query.items()]
        canonical = "\n".join((
            method,
            self._path,
            _joined(sorted(pairs)),
            *(f"{name}:{value}" for name, value in lines.items()),
            "",
            ";".join(lines),
            "UNSIGNED-PAYLOAD",
        ))
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        mac = keyed_v4(self._keys.secret_key, date[:8], self._region, "s3").copy()
        mac.update(f"{ALGORITHM}\n{date}\n{scope}\n{digest}".encode())
        scheme = "https" if self._is_secure else "http"
        signed = f"{_joined(pairs)}&X-Amz-Signature={mac.hexdigest()}"
        return f"{scheme}://{self._host}{self._path}?{signed}"


def _joined(pairs: list[tuple[str, str]]) -> str:
    return "&".join(f"{name}={value}" for name, value in pairs)


def _quoted(text: str) -> str:
    return quote(text, safe="-_.~")
