"""Operations that give credentials away."""

import pytest

from botod.daemon.models.explicit import NAMED
from botod.daemon.services import CATALOG
from botod.daemon.services.catalog import NoSuchOperation
from botod.daemon.services.operation import CannotBeCarried

GIVING = [
    "apigateway.create_usage_plan_key",
    "apigateway.get_usage_plan_key",
    "apigateway.get_usage_plan_keys",
    "apigateway.update_api_key",
    "appstream.create_streaming_url",
    "appsync.update_api_key",
    "bedrock-agentcore.get_resource_api_key",
    "codeartifact.get_authorization_token",
    "cognito-idp.add_user_pool_client_secret",
    "cognito-idp.create_user_pool_client",
    "cognito-idp.describe_user_pool_client",
    "cognito-idp.list_user_pool_client_secrets",
    "cognito-idp.update_user_pool_client",
    "ec2-instance-connect.send_serial_console_ssh_public_key",
    "ec2-instance-connect.send_ssh_public_key",
    "ecr-public.get_authorization_token",
    "ecr.get_authorization_token",
    "emr.get_cluster_session_credentials",
    "gamelift.get_instance_access",
    "iam.create_access_key",
    "iam.create_login_profile",
    "iam.create_service_specific_credential",
    "iotsecuretunneling.open_tunnel",
    "iotsecuretunneling.rotate_tunnel_access_token",
    "ivschat.create_chat_token",
    "kinesis-video-archived-media.get_dash_streaming_session_url",
    "kinesis-video-archived-media.get_hls_streaming_session_url",
    "lakeformation.get_temporary_glue_table_credentials",
    "license-manager.create_token",
    "license-manager.get_access_token",
    "lightsail.create_gui_session_access_details",
    "redshift-serverless.get_credentials",
    "redshift-serverless.get_identity_center_auth_token",
    "redshift.get_cluster_credentials",
    "redshift.get_cluster_credentials_with_iam",
    "s3control.get_data_access",
    "sagemaker.create_presigned_domain_url",
    "ssm.start_session",
    "sts.assume_role",
    "sts.assume_root",
    "sts.get_federation_token",
    "sts.get_session_token",
    "workmail.assume_impersonation_role",
]

HARMLESS = [
    "appmesh.describe_virtual_node",  # the path of a private key's file
    "cognito-idp.list_user_pool_clients",
    "dynamodb.get_item",
    "ec2.describe_instances",
    "iam.get_user",
    "rds.describe_db_instances",  # a password, of which AWS shows stars
    "secretsmanager.get_secret_value",  # data
    "ssm.get_parameter",
    "sts.get_caller_identity",
]


@pytest.mark.parametrize("method", GIVING)
def test_a_rule_has_to_name_what_gives_credentials(method: str) -> None:
    """By what its answer holds, or by name."""
    assert CATALOG.operation(*method.split(".")).is_explicit
    assert CATALOG.is_explicit(method)


@pytest.mark.parametrize("method", HARMLESS)
def test_nothing_else_has_to_be_named(method: str) -> None:
    """A member's name alone does not make a credential."""
    assert not CATALOG.operation(*method.split(".")).is_explicit


def test_what_is_named_is_there() -> None:
    """Unless it cannot be done anyway; a misspelt name would guard nothing."""
    for method in NAMED:
        try:
            assert CATALOG.operation(*method.split(".")).is_explicit, method
        except CannotBeCarried:
            pass
        except NoSuchOperation as error:
            raise AssertionError(method) from error
