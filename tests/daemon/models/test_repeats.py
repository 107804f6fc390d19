"""Which operations of models may be sent twice."""

import pytest

from botod.daemon.services import CATALOG


@pytest.mark.parametrize(
    ("method", "is_safe"),
    [
        ("dynamodb.get_item", True),
        ("dynamodb.query", True),
        ("dynamodb.batch_get_item", True),
        ("dynamodb.put_item", False),
        ("dynamodb.update_item", False),
        ("iam.list_users", True),
        ("iam.create_user", False),
        ("lambda.invoke", False),
        ("lambda.get_function", True),
        ("lambda.delete_function", True),
        ("lambda.put_function_concurrency", True),
        ("lambda.create_function", True),  # the model says so
        ("mediapackage.rotate_channel_credentials", False),  # a PUT, as are the next
        ("iot.create_job", False),
        ("databrew.start_project_session", False),
        ("connect.send_outbound_email", False),
        ("nova-act.invoke_act_step", False),
        ("clouddirectory.publish_schema", False),
        ("apigateway.put_integration", True),
        ("backup.create_backup_vault", True),  # the model says so
        ("stepfunctions.get_activity_task", False),
        ("stepfunctions.get_execution_history", True),
        ("s3.create_bucket_metadata_configuration", False),
        ("s3.put_bucket_tagging", True),
        ("s3.create_multipart_upload", False),
        ("s3.upload_part", True),
        ("s3.complete_multipart_upload", False),
        ("sns.publish", False),
        ("kinesis.put_record", False),
        ("ec2.describe_instances", True),
        ("route53.change_resource_record_sets", False),
        ("secretsmanager.get_secret_value", True),
    ],
)
def test_the_rule(method: str, is_safe: bool) -> None:
    """By the model's word, by what the protocol's methods mean, or by what the name says."""
    operation = CATALOG.operation(*method.split("."))
    assert operation.idempotent is is_safe
    assert operation.is_idempotent({}) is is_safe


def test_a_token_marks_a_request() -> None:
    """With it a request may be sent twice that may not be without."""
    run = CATALOG.operation("ec2", "run_instances")
    assert run.tokens == ("ClientToken",)
    assert not run.is_idempotent({})
    assert run.is_idempotent({"ClientToken": "x"})


def test_a_condition_holds_once() -> None:
    """The second request would find what the first one left."""
    update = CATALOG.operation("cloudfront", "update_distribution")
    assert update.is_idempotent({"Id": "x"})
    assert not update.is_idempotent({"Id": "x", "IfMatch": "e"})
    assert CATALOG.operation("s3", "get_object_attributes").unless == ()
