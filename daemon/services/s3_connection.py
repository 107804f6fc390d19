"""S3's connection: where a bucket is, and whom a signed request may go to."""

import copy
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from botod.daemon.services.answers import MAX_ERROR_BYTES, text_in
from botod.daemon.services.errors import BadAnswer
from botod.daemon.services.operation import CannotBeCarried, Endpoint
from botod.pool import HeldKeys, Pool, pooled

from boto.exception import BotoServerError
from boto.s3.connection import OrdinaryCallingFormat, S3Connection, SubdomainCallingFormat

REGION = r"[a-z]{2,4}(?:-[a-z]+)+-[0-9]{1,2}"
"""Of AWS's regions."""

DOMAINS = r"amazonaws\.com(?:\.cn)?|amazonaws\.eu|s?c2s\.(?:ic|sgov)\.gov|csp\.hci\.ic\.gov"
"""Of AWS's partitions."""

S3_HOST = re.compile(
    rf"(?:[a-z0-9._-]+\.)?s3(?:-fips)?(?:[.-](?:dualstack\.)?{REGION}|-external-1)?\.(?:{DOMAINS})"
)
"""A host of S3's. Others in AWS's domains may be anybody's."""

GLOBAL_HOST = "s3.amazonaws.com"

MOVED = frozenset({301, 307, 400})
"""What S3 answers where it does not have the bucket: PermanentRedirect, TemporaryRedirect, and
AuthorizationHeaderMalformed."""

ELSEWHERE = ("--x-s3", "--xa-s3", "--op-s3")
"""What names end in of directory buckets, of access points to them, and of those to Outposts."""

PLAIN_KEY = re.compile("[A-Za-z0-9_.~/-]*")
"""Keys that quoting does not change: nearly all. boto asks for each twice, for 0.7 us each time."""

BUCKETS_MAX = 1024
"""Whose regions are known; the oldest are asked for again."""


class _ByPath(OrdinaryCallingFormat):  # type: ignore[misc]
    """A bucket in the path."""

    def build_host(self, server: str, _bucket: str) -> str:
        return server

    def build_path_base(self, bucket: str, key: str = "") -> str:
        path = key if PLAIN_KEY.fullmatch(key) else quote(key)
        return f"/{bucket}/{path}" if bucket else f"/{path}"

    build_auth_path = build_path_base


class _ByHost(SubdomainCallingFormat):  # type: ignore[misc]
    """A bucket's own host name."""

    def build_path_base(self, _bucket: str, key: str = "") -> str:
        return _BY_PATH.build_path_base("", key)

    def build_auth_path(self, bucket: str, key: str = "") -> str:
        return _BY_PATH.build_path_base(bucket, key)


class _ByBucket(_ByHost):
    """A bucket's own host name, except where the certificate could not match it."""

    def build_host(self, server: str, bucket: str) -> str:
        return str(_format_for(bucket).build_host(server, bucket))

    def build_path_base(self, bucket: str, key: str = "") -> str:
        return _format_for(bucket).build_path_base(bucket, key)


class _Connection(pooled(S3Connection)):  # type: ignore[misc]
    """boto's, always with Signature Version 4; boto would decide by the host's name.

    is_aws: S3 itself, not a server that speaks like it. open_uploads: those of the daemon; set by
    who makes this.
    """

    follows_redirects = True  # to where `new_http_connection` allows
    is_aws: bool
    open_uploads: Any
    _regions: dict[str, str]
    _siblings: dict[str, "_Connection"]

    def _required_auth_capability(self) -> list[str]:
        return ["hmac-v4-s3"]

    def new_http_connection(self, host: str | None, port: int, is_secure: bool) -> Any:  # noqa: FBT001
        """A connection to S3, or to the server that was configured. Raises BadAnswer for others.

        boto follows a redirect to wherever it leads, signs for it, and sends the body there.
        """
        own = (self.host, self.port, self.is_secure)
        if host is not None and not _is_ours((host, port, is_secure), own, is_aws=self.is_aws):
            raise BadAnswer(f"S3 sends the request on to {host!r}, which is none of its hosts")
        return super().new_http_connection(host, port, is_secure)

    def asked(self, bucket: str, send: Callable[["_Connection"], Any]) -> Any:
        """The answer to a request about a bucket, sent to its region: anew where it is elsewhere.

        send: makes the request by the connection that it is given. Raises BotoServerError for some
        errors, of others the answer is checked by who reads it.
        """
        asked = self.for_bucket(bucket)  # another job may learn more before the answer is here
        response = send(asked)
        if response.status not in MOVED or not asked.learn(bucket, response):
            return response
        return send(self.for_bucket(bucket))

    def for_bucket(self, bucket: str) -> "_Connection":
        """The one to the bucket's region, as far as that is known. Raises CannotBeCarried."""
        if self.is_aws and bucket.endswith(ELSEWHERE):
            raise CannotBeCarried(
                f"buckets like {bucket!r}, in one zone or on an Outpost, have hosts of another kind"
            )
        region = self._regions.get(bucket)
        return self if region is None else self._in_region(region)

    def learn(self, bucket: str, response: Any) -> bool:
        """Whether one of the answers MOVED says where the bucket is, which then is known.

        Raises BotoServerError for another error of that kind.
        """
        if not self.is_aws:
            return False
        body = response.read(MAX_ERROR_BYTES)
        response.close()
        region = response.getheader("x-amz-bucket-region") or text_in(body, "Region")
        if not region or region == self.auth_region_name or not re.fullmatch(REGION, region):
            raise BotoServerError(response.status, response.reason, body)
        if len(self._regions) >= BUCKETS_MAX:
            del self._regions[next(iter(self._regions))]
        self._regions[bucket] = region
        return True

    def _in_region(self, region: str) -> "_Connection":
        sibling = self._siblings.get(region)
        if sibling is None:
            sibling = self._siblings[region] = copy.copy(self)
            # Whatever else the name says, such as FIPS or dual stack, stays as it is.
            host = self.host.replace(GLOBAL_HOST, f"s3.{self.auth_region_name}.amazonaws.com")
            sibling.host = host.replace(self.auth_region_name, region)
            sibling._auth_handler = copy.copy(self._auth_handler)  # noqa: SLF001 - one of us
            sibling.auth_region_name = region
        return sibling


class _OldConnection(_Connection):
    """With Signature Version 2, for servers that know no other."""

    def _required_auth_capability(self) -> list[str]:
        return ["s3"]


Server = tuple[str, int, bool]
"""Host, port, and whether it is spoken to by TLS."""


@lru_cache(BUCKETS_MAX)
def _is_ours(server: Server, own: Server, *, is_aws: bool) -> bool:
    """Whether one that requests are to go to is S3's, or the `own` one that was configured."""
    host, port, is_secure = server
    own_host, own_port, own_is_secure = own
    name = host.lower().removesuffix(f":{port}")
    if bool(is_secure) != own_is_secure:
        return False
    if is_aws:
        return S3_HOST.fullmatch(name) is not None
    own_name = own_host.lower()
    return int(port) == own_port and (name == own_name or name.endswith(f".{own_name}"))


def connect(pool: Pool, keys: HeldKeys, endpoint: Endpoint) -> Any:
    connection = (_OldConnection if endpoint.signature == "v2" else _Connection)(
        pool=pool,
        keys=keys,
        host=endpoint.host,
        calling_format=_calling_format(endpoint),
        suppress_consec_slashes=False,  # "a//b" and "a/b" are two keys
        **endpoint.boto_arguments(),
    )
    connection.auth_region_name = endpoint.region
    connection.is_aws = not endpoint.own
    connection._regions = {}  # noqa: SLF001 - set up here, as boto's class takes no more arguments
    connection._siblings = {}  # noqa: SLF001
    return connection


def _calling_format(endpoint: Endpoint) -> Any:
    """A bucket in the host's name or in the path: a server of one's own often has one name."""
    if endpoint.addressing == "auto":
        return _BY_PATH if endpoint.own else _ByBucket()
    return _BY_PATH if endpoint.addressing == "path" else _BY_HOST


def _format_for(bucket: str) -> _ByPath | _ByHost:
    """By path where a wildcard certificate, which matches one label of a name, would not do."""
    return _BY_PATH if "." in bucket or bucket != bucket.lower() else _BY_HOST


_BY_HOST = _ByHost()
_BY_PATH = _ByPath()
