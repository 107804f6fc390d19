"""The way to AWS: names, connections, TLS, proxies, and the server's clock beside ours."""

import email.utils
import http.client
import socket
import ssl
import time
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from botod.daemon.doctor.finding import Finding, bad, doubtful, good
from botod.daemon.endpoints import endpoint_of, own_url
from botod.daemon.partitions import known_regions
from botod.daemon.profile_settings import ProfileSettings
from botod.daemon.setting_checks import proxy_of
from botod.daemon.sites import NoEndpoint
from botod.pool.origin import Proxy

STEP_S = 5.0
"""For one address, and for TLS: a healthy way takes a tenth of a second."""

ASKED = ("s3", "sdb", "sqs")
"""Services whose servers at AWS are looked at; one more tells little that these do not."""

SKEW_MAX_S = 300.0
"""AWS refuses signatures that are further from its clock. The daemon corrects that only after a
refusal, and only for S3 and SQS."""

SKEW_ODD_S = 60.0
"""No clock that somebody keeps is so far off."""

UNVERIFIED = {
    9: ("is not valid yet", "look at this host's clock (timedatectl), then at the server"),
    10: ("has expired", "renew it on the server; look at this host's clock (timedatectl)"),
    62: ("is for another name", "name the server in the endpoint as its certificate does"),
    64: ("is for another name", "name the server in the endpoint as its certificate does"),
}
"""X509_V_ERR_… of OpenSSL, in words; others are about who signed it."""


@dataclass(frozen=True)
class Target:
    """A server, and how it is reached. ca_file: the roots that it is verified against."""

    profile: str
    host: str
    port: int
    is_secure: bool
    ca_file: str
    client_cert: str = ""
    client_key: str = ""
    tls_min_version: str = "1.2"
    proxy: str = ""
    region: str = ""

    def __str__(self) -> str:
        return f"profile {self.profile!r}: {self.host}:{self.port}"


def targets_of(profiles: Mapping[str, ProfileSettings], ca_file: str) -> list[Target]:
    """The servers that profiles talk to, each once. ca_file: where a profile names none."""
    found: dict[Target, Target] = {}
    for name, profile in profiles.items():
        for service in sorted({*ASKED, *profile.endpoints}):
            try:
                endpoint = endpoint_of(service, profile)
            except NoEndpoint:
                continue  # not every service is in every region
            target = Target(
                "",
                endpoint.host,
                endpoint.port,
                endpoint.is_secure,
                profile.ca_file or ca_file,
                profile.client_cert,
                profile.client_key,
                profile.tls_min_version,
                profile.proxy,
                "" if own_url(service, profile) else profile.region,
            )
            found.setdefault(target, Target(**{**vars(target), "profile": name}))
    return list(found.values())


def look_at_regions(profiles: Mapping[str, ProfileSettings]) -> Iterator[Finding]:
    """Whether AWS has the regions."""
    for name, profile in profiles.items():
        if not profile.endpoint and profile.region not in known_regions():
            yield doubtful(
                "region",
                f"profile {name!r}: no region {profile.region!r} is known",
                "mend region, unless it is newer than botocore's list",
            )


def look_at(target: Target) -> Iterator[Finding]:
    """Resolve, connect, verify, ask for nothing in particular. Blocks, each step for STEP_S."""
    proxy = proxy_of(target.proxy) if target.proxy else None
    host, port = (proxy.host, proxy.port) if proxy else (target.host, target.port)
    try:
        socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        yield bad("dns", f"{target}: {host} has no address: {error.strerror}", _dns_cure(target))
        return
    connection = _connection(target, proxy)
    try:
        yield from _conversation(target, connection, proxy)
    except ssl.SSLCertVerificationError as error:
        yield _unverified(target, error)
    except ssl.SSLError as error:
        yield bad(
            "tls",
            f"{target}: no TLS: {error.reason or error}",
            "look at the port, at tls_min_version and at client_cert",
        )
    except OSError as error:
        if isinstance(error, TimeoutError) and connection.sock is not None:
            yield bad("tls" if target.is_secure else "connect", *_mute(target))
        else:
            yield _unreached(target, f"{host}:{port}", error, proxy)
    except http.client.HTTPException as error:
        yield bad("connect", f"{target}: no HTTP: {type(error).__name__}", "look at the endpoint")
    finally:
        connection.close()


def _connection(target: Target, proxy: Proxy | None) -> http.client.HTTPConnection:
    host, port = (proxy.host, proxy.port) if proxy else (target.host, target.port)
    if not target.is_secure:
        return http.client.HTTPConnection(host, port, timeout=STEP_S)
    context = ssl.create_default_context(cafile=target.ca_file)
    if target.tls_min_version == "1.3":
        context.minimum_version = ssl.TLSVersion.TLSv1_3
    if target.client_cert:
        context.load_cert_chain(target.client_cert, target.client_key or None)
    connection = http.client.HTTPSConnection(host, port, timeout=STEP_S, context=context)
    if proxy:
        connection.set_tunnel(target.host, target.port, _login(proxy))
    return connection


def _conversation(
    target: Target, connection: http.client.HTTPConnection, proxy: Proxy | None
) -> Iterator[Finding]:
    is_whole = proxy is not None and not target.is_secure
    path = f"http://{target.host}:{target.port}/" if is_whole else "/"
    connection.request("HEAD", path, headers=_login(proxy) if is_whole and proxy else {})
    asked = time.time()
    response = connection.getresponse()
    if response.status == http.HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        yield _proxy_refuses(target, "407")
        return
    tls = connection.sock.version() if isinstance(connection.sock, ssl.SSLSocket) else "no TLS"
    by = f" by proxy {proxy.host}:{proxy.port}" if proxy else ""
    yield good("connect", f"{target} answers{by}, {tls}")
    yield from _clock(target, response.getheader("Date"), asked)


def _clock(target: Target, date: str | None, now: float) -> Iterator[Finding]:
    try:
        said = email.utils.parsedate_to_datetime(date or "").timestamp()
    except ValueError:
        return  # it says no time
    skew_s = now - said
    if abs(skew_s) <= SKEW_ODD_S:
        return
    way = "ahead of" if skew_s > 0 else "behind"
    cause = f"this host's clock is {abs(skew_s):.0f} s {way} that of {target.host}"
    level = bad if abs(skew_s) > SKEW_MAX_S else doubtful
    yield level("clock", cause, "set it and keep it: timedatectl set-ntp true, or chrony")


def _unverified(target: Target, error: ssl.SSLCertVerificationError) -> Finding:
    if error.verify_code in UNVERIFIED:
        words, cure = UNVERIFIED[error.verify_code]
        return bad("tls", f"{target}: its certificate {words}", cure)
    return bad(
        "tls",
        f"{target}: no authority in {target.ca_file} has signed its certificate "
        f"({error.verify_message})",
        f"set ca_file in [profile.{target.profile}] to a PEM file with the authority's own",
    )


def _unreached(target: Target, address: str, error: OSError, proxy: Proxy | None) -> Finding:
    words = "no answer in time" if isinstance(error, TimeoutError) else error.strerror or str(error)
    if proxy and "Tunnel connection failed" in words:
        return _proxy_refuses(target, words.removeprefix("Tunnel connection failed: "))
    check = "proxy" if proxy else "connect"
    cause = f"{target}: {address}: {words}"
    if proxy:
        return bad(check, cause, f"look at proxy in [profile.{target.profile}]")
    if isinstance(error, ConnectionRefusedError):
        return bad(check, cause, "nobody listens there: start the server, or mend the endpoint")
    return bad(check, cause, "look at routes, firewalls, security groups and VPC endpoints")


def _mute(target: Target) -> tuple[str, str]:
    """What is said of a server that takes connections and says nothing."""
    kind = "TLS" if target.is_secure else "HTTP"
    return (
        f"{target} takes connections, and gives no answer to {kind} within {STEP_S:g} s",
        f"look at what listens there: is it {kind}? is it overloaded?",
    )


def _proxy_refuses(target: Target, words: str) -> Finding:
    return bad(
        "proxy",
        f"{target}: the proxy refuses: {words}",
        f"give user and password in proxy of [profile.{target.profile}]"
        if words.startswith("407")
        else "have the proxy let it through",
    )


def _login(proxy: Proxy) -> dict[str, str]:
    if proxy.user is None:
        return {}
    pair = f"{proxy.user}:{proxy.password or ''}".encode()
    return {"Proxy-Authorization": f"Basic {b64encode(pair).decode()}"}


def _dns_cure(target: Target) -> str:
    if target.region and target.region not in known_regions():
        return f"mend region: AWS has no {target.region!r} that is known"
    return "look at /etc/resolv.conf, the resolver and the VPC's DNS; or mend the endpoint"
