"""What a setting may be: what is wrong with a value, in words that say what is allowed."""

import os
import re
from collections.abc import Iterator
from dataclasses import Field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from botod.daemon.endpoints import endpoint_of, own_url
from botod.daemon.partitions import region_mistake
from botod.daemon.profile_settings import ProfileSettings
from botod.daemon.services import CATALOG, SERVICES
from botod.daemon.sites import NoEndpoint
from botod.pool.origin import Proxy

BUCKET_HOSTS = ("s3",)
"""Services whose jobs go to a host that depends on the job, unless there is an endpoint."""

MAX_SOCKET_PATH = 107
"""sockaddr_un has 108 bytes, the last of them nought."""

MAX_USER_AGENT = 256
"""Of what a profile adds to each request's name: a header's line, not a page."""

JOURNALD = "journald"
"""In place of a path: the journal."""

LEVELS = ("debug", "info", "warning", "error")
LEVELLED = ("asyncio", "botod", "tornado")
"""Modules that may have a level: boto's would show what they sign."""

SECRET = frozenset({"proxy"})
"""Settings that may hold a password."""


def mistake_in(setting: Field[Any], value: Any) -> str | None:
    """What is wrong with a value; None: nothing. The setting's default tells the type."""
    default, choices = setting.default, setting.metadata["choices"]
    if setting.name in _SPECIAL:
        return _SPECIAL[setting.name](value)
    if choices:
        return None if value in choices else f"has to be one of {', '.join(choices)}"
    if isinstance(default, bool):
        return None if isinstance(value, bool) else "has to be true or false"
    if isinstance(default, (int, float)):
        return _number_mistake(value, is_whole=isinstance(default, int), setting=setting)
    return None if isinstance(value, str) else "has to be a text in quotes"


def shown(setting: Field[Any], value: Any) -> str:
    """A wrong value, as a mistake quotes it, unless it may hold a password."""
    return "…" if setting.name in SECRET else repr(value)


def profile_mistakes(profile: ProfileSettings, slots: int) -> Iterator[str]:
    """What is wrong with the settings of a profile together. slots: those of [pool]."""
    yield from _warmth_mistakes(profile, profile.slots_per_host or slots)
    if profile.client_key and not profile.client_cert:
        yield "client_key: needs client_cert, whose key it is"
    if _is_at_aws(profile):
        mistake = region_mistake(profile.region)
        if mistake:
            yield f"region = {profile.region!r}: {mistake}"
    elif profile.fips or profile.dual_stack:
        yield "fips and dual_stack choose among AWS's endpoints; here endpoint says where to go"


def _is_at_aws(profile: ProfileSettings) -> bool:
    return not profile.endpoint  # a service without one of its own goes there


def _number_mistake(value: Any, *, is_whole: bool, setting: Field[Any]) -> str | None:
    bounds = setting.metadata["bounds"]
    assert bounds is not None, f"{setting.name} is a number without bounds"
    if isinstance(value, bool) or not isinstance(value, int if is_whole else (int, float)):
        return "has to be a whole number" if is_whole else "has to be a number"
    if not bounds[0] <= value <= bounds[1]:
        return f"has to be from {bounds[0]:.10g} to {bounds[1]:.10g}"
    return None


def _warmth_mistakes(profile: ProfileSettings, slots: int) -> Iterator[str]:
    for service, number in profile.warm_sockets.items():
        setting = f"warm_sockets.{service} = {number}"
        if not 0 <= number <= slots:
            yield f"{setting}: has to be from 0 to slots_per_host, {slots}"
        elif service in BUCKET_HOSTS and own_url(service, profile) is None:
            yield f"{setting}: needs endpoints.{service}; at AWS each bucket has its own host"
        elif mistake := _no_endpoint(service, profile):
            yield f"{setting}: {mistake}"


def _no_endpoint(service: str, profile: ProfileSettings) -> str:
    """Why a service cannot be asked at all; empty: it can."""
    try:
        endpoint_of(service, profile)
    except NoEndpoint as error:
        return str(error)
    return ""


def _endpoints_mistake(value: Any) -> str | None:
    if not isinstance(value, dict):
        return 'has to be a table: endpoints.s3 = "https://…"'
    for service, url in value.items():
        mistake = _service_mistake(service) or _url_mistake(url)
        if mistake:
            return f"{service}: {mistake}"
    return None


def _warm_sockets_mistake(value: Any) -> str | None:
    if not isinstance(value, dict):
        return "has to be a table: warm_sockets.sqs = 2"
    for service, number in value.items():
        mistake = _service_mistake(service)
        if mistake:
            return f"{service}: {mistake}"
        if isinstance(number, bool) or not isinstance(number, int):
            return f"{service}: has to be a whole number"
    return None


def _service_mistake(service: str) -> str | None:
    if service in SERVICES or service in CATALOG.services:
        return None
    return f"unknown service{CATALOG.near(service, CATALOG.services)}; `botod services` lists them"


def _url_mistake(url: Any) -> str | None:
    form = "has to be http://host[:port] or https://host[:port]"
    if not isinstance(url, str):
        return form
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        return form
    return None if good and parts.path in ("", "/") and not parts.query else form


def _own_endpoint_mistake(value: Any) -> str | None:
    return None if value == "" else _url_mistake(value)


def _proxy_mistake(value: Any) -> str | None:
    """Says nothing of the value: a password may stand in it."""
    form = "has to be http://[user:password@]host:port"
    if not isinstance(value, str):
        return form
    return None if not value or proxy_of(value) is not None else form


def proxy_of(url: str) -> Proxy | None:
    """The proxy at a URL; None: it is none. User and password may be quoted, as in any URL."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    is_bare = parts.path in ("", "/") and not parts.query and not parts.fragment
    if parts.scheme != "http" or not parts.hostname or not port or not is_bare:
        return None
    user = None if parts.username is None else unquote(parts.username)
    password = None if parts.password is None else unquote(parts.password)
    return Proxy(parts.hostname, port, user, password)


def _user_agent_mistake(value: Any) -> str | None:
    good = isinstance(value, str) and len(value) <= MAX_USER_AGENT and re.fullmatch("[ -~]*", value)
    return None if good else f"has to be at most {MAX_USER_AGENT} characters of plain ASCII"


def _socket_mistake(value: Any) -> str | None:
    if not isinstance(value, str):
        return "has to be a text in quotes"
    if "\0" in value or len(value.encode()) > MAX_SOCKET_PATH:
        return f"has to be a path of at most {MAX_SOCKET_PATH} bytes, which is the kernel's bound"
    return None


def _state_dir_mistake(value: Any) -> str | None:
    good = isinstance(value, str) and "\0" not in value and value[:1] in ("", "/")
    return None if good else "has to be a path that begins with /"


def _keys_file_mistake(value: Any) -> str | None:
    good = isinstance(value, str) and "\0" not in value and value[:1] in ("", "/")
    return None if good else "has to be a path that begins with /, the same for all who share it"


def _log_file_mistake(value: Any) -> str | None:
    good = isinstance(value, str) and "\0" not in value and value[:1] in ("", "/")
    return None if good else "has to be a path that begins with /"


def _audit_path_mistake(value: Any) -> str | None:
    if value == JOURNALD:
        return None
    return _log_file_mistake(value) and f'has to be a path that begins with /, or "{JOURNALD}"'


def _levels_mistake(value: Any) -> str | None:
    if not isinstance(value, dict):
        return 'has to be a table: levels."botod.pool" = "debug"'
    for name, level in value.items():
        if name.partition(".")[0] not in LEVELLED:
            return f"{name}: has to be a module of {', '.join(LEVELLED)}, such as botod.pool"
        if level not in LEVELS:
            return f"{name}: has to be one of {', '.join(LEVELS)}"
    return None


def _file_mistake(value: Any) -> str | None:
    if not isinstance(value, str):
        return "has to be a text in quotes"
    good = not value or ("\0" not in value and os.access(value, os.R_OK) and Path(value).is_file())
    return None if good else "there is no such file that can be read"


def _mode_mistake(value: Any) -> str | None:
    good = (
        isinstance(value, str) and value.isdecimal() and all(digit in "01234567" for digit in value)
    )
    return None if good and int(value, 8) <= 0o777 else 'has to be octal in quotes, like "0660"'  # noqa: PLR2004


def _region_mistake(value: Any) -> str | None:
    good = isinstance(value, str) and value and value.replace("-", "").isalnum() and value.isascii()
    return None if good else 'has to be a region\'s name, like "eu-central-1"'


_SPECIAL = {
    "ca_file": _file_mistake,
    "client_cert": _file_mistake,
    "client_key": _file_mistake,
    "endpoint": _own_endpoint_mistake,
    "endpoints": _endpoints_mistake,
    "file": _log_file_mistake,
    "keys_file": _keys_file_mistake,
    "levels": _levels_mistake,
    "path": _audit_path_mistake,
    "proxy": _proxy_mistake,
    "region": _region_mistake,
    "socket": _socket_mistake,
    "socket_mode": _mode_mistake,
    "state_dir": _state_dir_mistake,
    "user_agent": _user_agent_mistake,
    "warm_sockets": _warm_sockets_mistake,
}
