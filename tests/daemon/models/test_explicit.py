"""Operations that give credentials away."""

import pytest

from botod.daemon.models.explicit import NAMED
from botod.daemon.services import CATALOG
from botod.daemon.services.catalog import NoSuchOperation
from botod.daemon.services.operation import CannotBeCarried

GIVING = [
    "codeartifact.get_authorization_token",
    "ecr-public.get_authorization_token",
    "ecr.get_authorization_token",
    "iam.create_access_key",
    "iam.create_login_profile",
    "iam.create_service_specific_credential",
    "lakeformation.get_temporary_glue_table_credentials",
    "redshift-serverless.get_credentials",
    "redshift.get_cluster_credentials",
    "redshift.get_cluster_credentials_with_iam",
    "s3control.get_data_access",
    "sagemaker.create_presigned_domain_url",
    "ssm.start_session",
    "sts.assume_role",
    "sts.assume_root",
    "sts.get_federation_token",
    "sts.get_session_token",
]

HARMLESS = [
    "appmesh.describe_virtual_node",  # the path of a private key's file
    "cognito-idp.describe_user_pool_client",  # how long access tokens are good
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
