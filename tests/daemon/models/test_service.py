"""Every operation of every model: it can be done, or it is refused with words."""

import re

import pytest

from botod.daemon.models.explicit import GIVEN
from botod.daemon.models.loading import service_names
from botod.daemon.models.service import load_service
from botod.daemon.services.operation import CannotBeCarried, Operation
from botod.daemon.services.resources import UNTOLD
from botod.pool import HeldKeys  # noqa: F401 - mends boto for newer Pythons before it is imported

LETS_IN = {name.replace("_", "") for name in GIVEN}


def checked(method: str, operation: Operation) -> None:
    """What holds for each."""
    params = operation.params
    told = list(params.described())
    names = [one.name for one in told]
    assert len(names) == len(set(names)), method
    assert set(operation.tokens) <= set(names), method
    assert not [one.name for one in told if one.is_required and one.name in operation.tokens]
    assert set(operation.unless) <= set(names), method
    assert not operation.sends or operation.sends in names, method
    assert not operation.receives or operation.receives in names, method
    assert params.partial().read({}, "") == {}, method
    assert None in list(operation.resources.find({})), method
    assert operation.resources is UNTOLD or operation.resources.may_match("*"), method
    assert operation.home is not None, method


@pytest.mark.long
def test_each_operation_of_each_model() -> None:
    """20,000 of them; few enough are refused that no table is missing."""
    done = 0
    words: list[str] = []
    for name in service_names():
        service = load_service(name)
        for operation in service.names:
            try:
                made = service.operation(operation)
            except CannotBeCarried as error:
                words.append(str(error))
                continue
            assert made is not None
            checked(f"{name}.{operation}", made)
            done += 1
    assert done > 15_000
    assert len(words) < done / 100
    assert all(re.fullmatch(r"\S+ cannot be carried: .{20,}", one) for one in words)


@pytest.mark.parametrize("service", ["dynamodb", "iam", "lambda", "route53", "s3", "sdb", "sqs"])
def test_each_operation_of_some_models(service: str) -> None:
    """The same, of those used most."""
    model = load_service(service)
    for name in model.names:
        try:
            made = model.operation(name)
        except CannotBeCarried:
            continue
        assert made is not None
        checked(f"{service}.{name}", made)
        assert model.made(name) is model.operation(name) is made
    assert model.operation("nothing") is None
