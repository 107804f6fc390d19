"""Where the operations of a model are sent, and boto's connection for them."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jmespath
from botocore.model import OperationModel, ServiceModel

from botod.daemon.endpoint_rules import EndpointRules
from botod.daemon.services import s3_connection, sdb
from botod.daemon.services.operation import Endpoint, Params
from botod.daemon.sites import Site, Wanted
from botod.pool import HeldKeys, Pool
from botod.pool.any_service import AnyServiceConnection

S3 = "s3"

QUERY_V2 = {"sdb": sdb.SERVICE.connect}
"""Services that know Signature Version 2 only, and boto's connections to them."""

Kind = tuple[tuple[str, Any], ...]
"""What the rules of endpoints are told of a kind of operation, whatever its parameters."""


class ModelConnection(AnyServiceConnection):
    """is_own: its host was configured, so that AWS's ways of naming hosts do not hold.

    wanted: what the profile wants of AWS's hosts; None: it is_own.
    """

    is_own = False
    wanted: Wanted | None = None

    def at(self, site: Site) -> "ModelConnection":
        """One to a site of the service's, all else alike: itself, if it goes there."""
        mine = self._auth_handler
        if (site.host, site.region) == (self.host, mine.region_name) and not site.signing_name:
            return self
        other = copy.copy(self)
        other.host = site.host
        handler = other._auth_handler = copy.copy(self._auth_handler)  # noqa: SLF001 - one of us
        handler.region_name = site.region
        handler.service_name = site.signing_name or handler.service_name
        return other


class ModelHome:
    """The home of a service's operations that are of one kind: most services have but one."""

    def __init__(self, model: ServiceModel, rules: EndpointRules, kind: Kind = ()) -> None:
        self.kind = kind
        self._model = model
        self._rules = rules

    def site(self, wanted: Wanted) -> Site:
        """Where AWS has it. Raises NoEndpoint, CannotBeCarried."""
        return self._rules.site(wanted, dict(self.kind))

    def connect(self, pool: Pool, keys: HeldKeys, endpoint: Endpoint) -> Any:
        """A connection of boto's for these operations."""
        name = self._model.service_name
        if name == S3:
            return s3_connection.connect(pool, keys, endpoint)
        if name in QUERY_V2:
            return QUERY_V2[name](pool, keys, endpoint)
        connection = ModelConnection(
            pool=pool,
            keys=keys,
            host=endpoint.host,
            region=endpoint.region,
            signing_name=endpoint.signing_name or self._model.signing_name,
            is_single=self._model.signature_version in ("s3", "s3v4"),
            **endpoint.boto_arguments(),
        )
        connection.is_own = endpoint.own
        connection.wanted = endpoint.wanted
        return connection


@dataclass(frozen=True)
class Whereabouts:
    """Where the requests of an operation go whose parameters have a say in it.

    members: which parameters the rules take, by the rules' names; paths: the same, of parts of
    parameters. kind: what they are told beside.
    """

    rules: EndpointRules
    kind: Kind
    members: Mapping[str, str]
    paths: Mapping[str, Any]

    def site(self, wanted: Wanted, params: Params) -> Site:
        """Of a request with these params. Raises NoEndpoint, CannotBeCarried."""
        context = dict(self.kind)
        for name, member in self.members.items():
            if member in params:
                context.setdefault(name, params[member])
        for name, path in self.paths.items():
            found = path.search(params)
            if found is not None:
                context.setdefault(name, tuple(found) if isinstance(found, list) else found)
        return self.rules.site(wanted, context)


def kind_of(model: OperationModel, rules: EndpointRules) -> Kind:
    """Of which kind an operation is to the rules."""
    told = ((one.name, one.value) for one in model.static_context_parameters)
    return tuple(sorted((name, value) for name, value in told if name in rules.names))


def whereabouts(model: OperationModel, rules: EndpointRules) -> Whereabouts | None:
    """Of an operation; None: its parameters have no say."""
    members = {
        one.name: one.member_name for one in model.context_parameters if one.name in rules.names
    }
    paths = {
        name: jmespath.compile(one["path"])
        for name, one in (model.operation_context_parameters or {}).items()
        if name in rules.names
    }
    if not members and not paths:
        return None
    return Whereabouts(rules, kind_of(model, rules), members, paths)
