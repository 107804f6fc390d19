"""A service as its model has it: its operations, made as they are asked for."""

from collections.abc import Iterable, Mapping
from typing import Any

from botocore import xform_name
from botocore.model import OperationModel, ServiceModel
from botocore.parsers import PROTOCOL_PARSERS
from botocore.serialize import SERIALIZERS

from botod.daemon.endpoint_rules import EndpointRules, load_rules
from botod.daemon.models import explicit, repeats
from botod.daemon.models.answering import Reader
from botod.daemon.models.asking import LENGTH, Ask
from botod.daemon.models.home import QUERY_V2, S3, Kind, ModelHome, kind_of, whereabouts
from botod.daemon.models.loading import load_model
from botod.daemon.models.parsing import make_parser
from botod.daemon.models.quirk import Quirk
from botod.daemon.models.quirks import DECODED, quirk_of
from botod.daemon.models.reading import Params
from botod.daemon.models.touched import touched
from botod.daemon.services.operation import CannotBeCarried, Operation
from botod.daemon.services.shapes import Body, Destination, Number, Shape

SIGNED = frozenset({"v4", "v4-unsigned-body", "s3", "s3v4"})
"""Ways of signing, by a model's names, that come down to Signature Version 4."""

UNSIGNED = frozenset({"none", "bearer"})

ELSEWHERE = {
    "machinelearning.predict": "a parameter names the host that it goes to",
    "s3.create_session": "its buckets have hosts of another kind",
    "s3.list_directory_buckets": "its buckets have hosts of another kind",
    "s3.write_get_object_response": "a parameter names the host that it goes to",
}
"""Operations whose host is none of the service's."""


class ModelService:
    """The operations of one service that its model has.

    names: of its operations. To make them, and to load it, takes a thread's time, not the loop's.
    """

    def __init__(self, name: str, model: ServiceModel, rules: EndpointRules) -> None:
        self.name = name
        self._model = model
        self._rules = rules
        self._homes: dict[Kind, ModelHome] = {}
        self._by_name = {xform_name(wire): wire for wire in model.operation_names}
        self.names = tuple(sorted(self._by_name))
        self._operations: dict[str, Operation] = {}
        protocol = model.resolved_protocol
        self._is_known = protocol in SERIALIZERS and protocol in PROTOCOL_PARSERS
        if self._is_known:
            self._serializer = SERIALIZERS[protocol]()
            self._parser = make_parser(protocol, DECODED.get(name, {}))

    def made(self, name: str) -> Operation | None:
        """One that was asked for before."""
        return self._operations.get(name)

    def operation(self, name: str) -> Operation | None:
        """One of its operations; None: there is none. Raises CannotBeCarried."""
        known = self._operations.get(name)
        if known is not None or name not in self._by_name:
            return known
        model = self._model.operation_model(self._by_name[name])
        refused = self._refusal(name, model)
        if refused:
            raise CannotBeCarried(f"{self.name}.{name} cannot be carried: {refused}")
        operation = self._operations[name] = self._made(name, model)
        return operation

    def _made(self, name: str, model: OperationModel) -> Operation:
        quirk = quirk_of(self.name, name)
        sends, receives = _streamed(model.input_shape), _streamed(model.output_shape)
        tokens = repeats.tokens(model)
        # S3's buckets are told to its connection, which knows more of them than the rules do.
        by_params = None if self.name == S3 else whereabouts(model, self._rules)
        kind = () if self.name == S3 or by_params else kind_of(model, self._rules)
        return Operation(
            Params(
                model.input_shape, _own(model, quirk, sends, receives), quirk.filled | {*tokens}
            ),
            Ask(
                model=model,
                serializer=self._serializer,
                reader=Reader(model, self._parser, quirk, receives, self.name == S3),
                quirk=quirk,
                sends=sends,
                is_s3=self.name == S3,
                is_query_v2=self.name in QUERY_V2,
                is_unsigned=_is_unsigned(model),
                by_params=by_params,
                is_discovered=bool((model.endpoint_discovery or {}).get("required")),
            ),
            repeats.is_repeatable(self.name, name, model),
            repeats.conditions(model),
            sends=sends,
            receives=receives,
            resources=touched(self.name, name, model),
            is_explicit=explicit.is_explicit(self.name, name, model),
            tokens=tokens,
            home=self._home(kind),
        )

    def _home(self, kind: Kind) -> ModelHome:
        home = self._homes.get(kind)
        if home is None:
            home = self._homes[kind] = ModelHome(self._model, self._rules, kind)
        return home

    def _refusal(self, name: str, model: OperationModel) -> str:
        """Why an operation cannot be; empty: it can."""
        reasons = (
            (
                not self._is_known,
                f"nothing here speaks the protocol {self._model.resolved_protocol!r}",
            ),
            (
                model.has_event_stream_input or model.has_event_stream_output,
                "it sends or gives a stream of events, for which the wire has no form",
            ),
            (
                model.auth_type in UNSIGNED or not _may_sign(repeats.traits(model).get("auth")),
                "it is not signed with AWS keys, so it needs no daemon that holds them",
            ),
            (
                not _may_sign(self._model.metadata.get("auth")),
                "the service wants a bearer token in the place of a signature",
            ),
            (
                self._model.signature_version not in SIGNED and self.name not in QUERY_V2,
                f"nothing here signs in the way {self._model.signature_version!r}",
            ),
        )
        elsewhere = ELSEWHERE.get(f"{self.name}.{name}", "")
        return elsewhere or next((words for is_so, words in reasons if is_so), "")


def load_service(name: str) -> ModelService:
    """A service's model. For a thread: it reads files."""
    return ModelService(name, load_model(name), load_rules(name))


def _may_sign(auth: Iterable[str] | None) -> bool:
    """Whether what a model lists holds Version 4; it may list nothing."""
    return not auth or any("sigv4" in kind for kind in auth)


def _is_unsigned(model: OperationModel) -> bool:
    return model.auth_type == "v4-unsigned-body" or bool(model.unsigned_payload)


def _streamed(shape: Any) -> str:
    """The member that is the body itself and may be of any size; empty: none is."""
    payload: str | None = None if shape is None else shape.serialization.get("payload")
    if shape is None or payload is None:
        return ""
    member = shape.members[payload]
    is_blob = member.type_name == "blob"
    return payload if is_blob and member.serialization.get("streaming") else ""


def _own(model: OperationModel, quirk: Quirk, sends: str, receives: str) -> Mapping[str, Shape]:
    """The parameters that are not read as the model has them."""
    members = {} if model.input_shape is None else model.input_shape.members
    own: dict[str, Shape] = {name: shape for name, shape in quirk.own.items() if name in members}
    if receives and receives not in members:
        own[receives] = Destination()
    if sends:
        own[sends] = Body()
        if LENGTH not in members:
            own[LENGTH] = Number()
    return own
