"""A body that is read: its names. How it is read is in the tests of the clients."""

import pytest
from botocore import xform_name

from botod.daemon.models.loading import load_model
from botod.ipc.streaming import OTHERS, body_name


@pytest.mark.parametrize("service", sorted({method.partition(".")[0] for method in OTHERS}))
def test_they_are_as_models_have_them(service: str) -> None:
    """Each of a service's answers that is a blob by another name than Body, and no other."""
    model = load_model(service)
    found = {}
    for name in model.operation_names:
        operation = model.operation_model(name)
        shape = operation.output_shape
        payload = None if shape is None else shape.serialization.get("payload")
        if shape is None or not payload or operation.has_event_stream_output:
            continue
        if shape.members[payload].type_name == "blob":
            found[f"{service}.{xform_name(name)}"] = payload
    listed = {method: name for method, name in OTHERS.items() if method.startswith(f"{service}.")}
    assert listed == {method: name for method, name in found.items() if name != "Body"}
    assert all(body_name(method) == name for method, name in found.items())


def test_most_are_called_body() -> None:
    """Whatever there is or is not."""
    assert body_name("s3.get_object") == body_name("none.such") == "Body"
