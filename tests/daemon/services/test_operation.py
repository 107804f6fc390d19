"""Rows of the tables."""

import pytest

from botod.daemon.services import SERVICES
from botod.daemon.services.operation import Operation
from botod.daemon.services.resources import UNTOLD
from botod.daemon.services.shapes import Struct


def row(*, idempotent: bool, unless: tuple[str, ...] = ()) -> Operation:
    """An operation that does nothing."""
    return Operation(
        Struct(), lambda _connection, _params: {}, idempotent, unless, resources=UNTOLD
    )


def test_idempotent_as_the_row_says() -> None:
    """Without `unless` the params do not matter."""
    assert row(idempotent=True).is_idempotent({"IfMatch": "x"})
    assert not row(idempotent=False).is_idempotent({})


def test_a_param_may_make_it_unrepeatable() -> None:
    """That it is there counts, whatever its value."""
    conditional = row(idempotent=True, unless=("IfMatch", "Expected"))
    assert conditional.is_idempotent({"Key": "k"})
    assert not conditional.is_idempotent({"Expected": None})


@pytest.mark.parametrize("service", SERVICES)
def test_tables_are_sound(service: str) -> None:
    """No parameter is both required and optional, and `unless` names parameters that exist."""
    for name, operation in SERVICES[service].operations.items():
        required, optional = operation.params.required, operation.params.optional
        assert not required.keys() & optional.keys(), name
        assert set(operation.unless) <= required.keys() | optional.keys(), name
