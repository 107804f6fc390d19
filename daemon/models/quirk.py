"""What is different about an operation beside what its model says."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from botocore.model import OperationModel

from botod.daemon.services.operation import Params, Result
from botod.daemon.services.shapes import Shape


@dataclass(frozen=True)
class Quirk:
    """The differences.

    own: parameters that are read in their own way. filled: those that `before` fills in. before:
    changes parameters as read into those to be written. headers: sent besides, made of the body.
    after: changes a result; it gets what was asked for, the result, and the body that it was read
    from. is_prefixed: AWS's host gets the prefix that the model has for it; else its rules of
    endpoints put that there.
    """

    own: Mapping[str, Shape] = field(default_factory=dict)
    filled: frozenset[str] = frozenset()
    before: Callable[[OperationModel, Params], Params] | None = None
    headers: Callable[[OperationModel, bytes], dict[str, str]] | None = None
    after: Callable[[Params, Result, bytes], Result] | None = None
    is_prefixed: bool = True


PLAIN = Quirk()
