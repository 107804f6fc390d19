"""Models as botocore's files have them."""

import botocore.loaders
import pytest
from botocore.model import ServiceModel

from botod.daemon.models.loading import load_model, service_names


def test_all_services_are_listed() -> None:
    """Those that botocore lists itself."""
    assert service_names() == botocore.loaders.Loader().list_available_services("service-2")


@pytest.mark.parametrize("service", ["s3", "ec2", "iam", "connect", "sqs"])
def test_a_model_is_botocore_s(service: str) -> None:
    """But for the documentation, which is most of it."""
    theirs = ServiceModel(botocore.loaders.Loader().load_service_model(service, "service-2"))
    ours = load_model(service)
    assert ours.operation_names == theirs.operation_names
    assert set(ours.shape_names) == set(theirs.shape_names)
    assert ours.metadata == theirs.metadata
    name = ours.operation_names[0]
    shape, other = ours.operation_model(name).input_shape, theirs.operation_model(name).input_shape
    assert shape is not None
    assert other is not None
    assert list(shape.members) == list(other.members)
    assert not any(ours.operation_model(name).documentation for name in ours.operation_names)


def test_a_member_called_documentation_stays() -> None:
    """It is a table, not words."""
    shape = load_model("codecatalyst").metadata
    assert shape["serviceId"] == "CodeCatalyst"
    members = load_model("glue").shape_for("ConnectionTypeBrief").members
    assert "Description" in members


def test_a_user_s_own_models_do_not_count(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    """A daemon does what it does whoever's home it has."""
    folder = tmp_path / "models" / "mine" / "2020-01-01"  # type: ignore[operator]
    folder.mkdir(parents=True)
    (folder / "service-2.json").write_text("{}")
    monkeypatch.setattr(botocore.loaders.Loader, "CUSTOMER_DATA_PATH", str(folder.parent.parent))
    assert "mine" not in service_names()
