"""Where AWS has a service, by the rules that AWS publishes for it: those by which boto3 finds it.

Each service has rules of its own, which tell the host, and for whom a signature is: most are in
every region under a name like the others, some are in one region for all, and some have a host for
each account, or kind of operation.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from botocore.endpoint_provider import RuleSet
from botocore.exceptions import DataNotFoundError, EndpointProviderError, UnknownServiceError

from botod.daemon.aws_data import aws_loader, newest
from botod.daemon.partitions import partition_of, partitions
from botod.daemon.services.operation import CannotBeCarried
from botod.daemon.sites import NoEndpoint, Site, Wanted

KIND = "endpoint-rule-set-1"

SITES_MAX = 256
"""That are remembered of a service: by the names in jobs' parameters, there are more than hosts."""

SIGNED = "sigv4"

FIRST_REGION = "us-east-1"

SIGNED_FOR_ALL = {
    "billingconductor": ("aws",),
    "chime": ("aws",),
    "health": ("aws", "aws-cn", "aws-us-gov"),
    "savingsplans": ("aws",),
    "shield": ("aws",),
    "waf": ("aws",),
}
"""Services whose signatures are for one region of these partitions, wherever in it they are asked;
their rules do not say so, but an older list does, which boto3 reads beside: 7 MB."""

SIGNED_FOR_ITSELF = {("health", "us-east-2")}
"""But these."""

HOST = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)+")
"""A peer's parameters may be part of a name: rules check them, and what is none is refused here."""

Context = Mapping[str, Any]
"""What rules take from an operation and its parameters, by the rules' names."""


class EndpointRules:
    """The rules of one service.

    To make them takes a millisecond, S3's eight. To ask them takes 60 µs, so what they said last is
    remembered.

    data: as the file has them; None: there are none. names: of what they take.
    """

    def __init__(self, service: str, data: Any) -> None:
        self._service = service
        self._rules = None if data is None else RuleSet(**data, partitions=partitions())
        self.names = frozenset(self._rules.parameters if self._rules else ())
        self._known = lru_cache(SITES_MAX)(self._site)

    def site(self, wanted: Wanted, context: Context) -> Site:
        """Where the service is. Raises NoEndpoint, CannotBeCarried."""
        return self._known(wanted, tuple(sorted(context.items())))

    def _site(self, wanted: Wanted, context: tuple[tuple[str, Any], ...]) -> Site:
        if self._rules is None:
            raise self._nowhere(wanted, "no rules tell where, so give one")
        if partition_of(wanted.region) is None:
            raise self._nowhere(wanted, "mend region, or give one")
        try:
            found = self._rules.evaluate({**self._built_in(wanted), **dict(context)})
        except EndpointProviderError as error:
            raise self._nowhere(wanted, str(error.kwargs.get("msg", error))) from None
        if found is None:
            raise self._nowhere(wanted, "its rules have none")
        if found.headers:
            raise CannotBeCarried(
                f"{self._service} wants an ARN of an Outpost taken apart: give its parts"
            )
        host = urlsplit(found.url).netloc
        if found.url != f"https://{host}" or HOST.fullmatch(host) is None:
            raise self._nowhere(wanted, "what its rules make of the parameters is no host's name")
        scheme = self._scheme(found.properties.get("authSchemes"))
        region = scheme.get("signingRegion") or self._scope(wanted.region)
        return Site(host, region, scheme.get("signingName", ""))

    def _nowhere(self, wanted: Wanted, why: str) -> NoEndpoint:
        return NoEndpoint(f"AWS has no endpoint of {self._service} {wanted}: {why}")

    def _built_in(self, wanted: Wanted) -> dict[str, Any]:
        """What the rules take from no operation; the choices are boto3's, where nobody chose."""
        assert self._rules is not None, "checked by who asks"
        values = {
            "AWS::Region": wanted.region,
            "AWS::UseFIPS": wanted.fips,
            "AWS::UseDualStack": wanted.dual_stack,
            "AWS::Auth::AccountIdEndpointMode": "preferred",
            "AWS::S3::UseArnRegion": True,
            "AWS::S3::UseGlobalEndpoint": wanted.region == FIRST_REGION,
        }
        return {
            name: values[parameter.builtin]
            for name, parameter in self._rules.parameters.items()
            if parameter.builtin in values
        }

    def _scheme(self, schemes: list[Any] | None) -> Mapping[str, Any]:
        """How to sign, as far as the rules say it."""
        if not schemes:
            return {}
        for scheme in schemes:
            if scheme["name"] == SIGNED:
                known: Mapping[str, Any] = scheme
                return known
        ways = ", ".join(repr(scheme["name"]) for scheme in schemes)
        raise CannotBeCarried(
            f"{self._service} wants it signed in the way {ways}, which nothing here does"
        )

    def _scope(self, region: str) -> str:
        """The region in a signature, where the rules do not say it."""
        partition = partition_of(region)
        assert partition is not None, "checked before"
        is_for_all = partition["id"] in SIGNED_FOR_ALL.get(self._service, ())
        if (self._service, region) in SIGNED_FOR_ITSELF:
            return region
        return str(partition["outputs"]["implicitGlobalRegion"]) if is_for_all else region


def load_rules(service: str) -> EndpointRules:
    """A service's rules. Reads files."""
    loader = aws_loader()
    try:
        data = loader.load_data(newest(loader, service, KIND))
    except (DataNotFoundError, UnknownServiceError):
        data = None
    return EndpointRules(service, data)
