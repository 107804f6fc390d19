"""Operations that give credentials away, or make what works without them: a rule has to name them.

What a model's answers hold tells most of them, in models that are yet to come, too; the rest is
named here. Data that was put away as a secret (secretsmanager, ssm's parameters) is data: who may
read which of it is what rules are about anyway.
"""

import re
from collections.abc import Iterator
from typing import Any

from botocore.model import OperationModel

GIVEN = frozenset({
    "authorizationtoken",
    "authtoken",
    "bearertoken",
    "clitoken",
    "dbpassword",
    "secretaccesskey",
    "servicecredentialsecret",
    "servicepassword",
    "sessiontoken",
    "webidentitytoken",
    "webtoken",
    "workloadaccesstoken",
})
"""Members of an answer that let their holder in, whatever the punctuation of their names."""

SENSITIVE = frozenset({
    "idtoken",
    "passworddata",
    "privatekey",
    "privatekeybase64",
    "refreshtoken",
    "tokenvalue",
})
"""The same, of those that the model calls `sensitive`, as are access tokens, whatever they are for;
others of these names are harmless."""

CREDENTIALS = frozenset({"keymaterial", "password", "secretkey", "token"})
"""The same, of those that are `sensitive` and stand in something called credentials."""

MAKING = re.compile(r"presigned|_embed_url|_login_url|federation_token|streaming(_session)?_url")
"""Names of operations whose answer is a key by itself."""

NAMED = frozenset({
    "acm.export_certificate",
    "apigateway.create_api_key",
    "apigateway.create_usage_plan_key",
    "apigateway.get_api_key",
    "apigateway.get_api_keys",
    "apigateway.get_usage_plan_key",
    "apigateway.get_usage_plan_keys",
    "apigateway.update_api_key",
    "appsync.create_api_key",
    "appsync.list_api_keys",
    "appsync.update_api_key",
    "bedrock-agentcore.get_resource_api_key",
    "cloudfront.create_public_key",
    "codebuild.start_sandbox_connection",
    "codecatalyst.create_access_token",
    "cognito-identity.get_credentials_for_identity",
    "cognito-identity.get_open_id_token",
    "cognito-identity.get_open_id_token_for_developer_identity",
    "cognito-idp.add_user_pool_client_secret",
    "cognito-idp.create_user_pool_client",
    "cognito-idp.describe_user_pool_client",
    "cognito-idp.list_user_pool_client_secrets",
    "cognito-idp.update_user_pool_client",
    "connect.get_federation_token",
    "ec2-instance-connect.send_serial_console_ssh_public_key",
    "ec2-instance-connect.send_ssh_public_key",
    "ec2.create_key_pair",
    "ec2.import_key_pair",
    "ecs.execute_command",
    "emr-containers.get_managed_endpoint_session_credentials",
    "emr.get_cluster_session_credentials",
    "gamelift.get_instance_access",
    "gameliftstreams.create_stream_url",
    "gameliftstreams.get_stream_url",
    "glue.get_dashboard_url",
    "grafana.create_workspace_api_key",
    "grafana.create_workspace_service_account_token",
    "iam.create_access_key",
    "iam.create_login_profile",
    "iam.create_service_specific_credential",
    "iam.reset_service_specific_credential",
    "iam.update_login_profile",
    "iam.upload_signing_certificate",
    "iam.upload_ssh_public_key",
    "iot.create_certificate_from_csr",
    "iot.create_keys_and_certificate",
    "iot.create_provisioning_claim",
    "ivs-realtime.create_participant_token",
    "ivs.batch_get_stream_key",
    "ivs.create_stream_key",
    "ivs.get_stream_key",
    "ivschat.create_chat_token",
    "lambda.create_function_url_config",
    "license-manager.create_token",
    "license-manager.get_access_token",
    "lightsail.create_container_service_registry_login",
    "lightsail.create_gui_session_access_details",
    "lightsail.get_relational_database_master_user_password",
    "redshift-serverless.get_identity_center_auth_token",
    "redshift.get_identity_center_auth_token",
    "ssm.get_access_token",
    "ssm.resume_session",
    "ssm.start_session",
    "sso-oidc.register_client",
    "storagegateway.describe_chap_credentials",
    "wafv2.create_api_key",
    "wafv2.get_decrypted_api_key",
    "wafv2.list_api_keys",
    "workmail.assume_impersonation_role",
})
"""That no answer's members tell."""


def is_explicit(service: str, name: str, model: OperationModel) -> bool:
    """Whether a rule has to name an operation to allow it."""
    is_named = f"{service}.{name}" in NAMED or MAKING.search(name) is not None
    return is_named or any(map(_lets_in, _members(model.output_shape)))


def _lets_in(found: tuple[str, Any, str]) -> bool:
    """Of one member: its name, its shape, and what holds it is called."""
    name, shape, holder = found
    if shape.type_name not in ("string", "blob"):
        return False
    plain = _plain(name)
    if plain in GIVEN:
        return True
    if not shape.metadata.get("sensitive"):
        return False
    if plain in SENSITIVE or plain.endswith("accesstoken"):
        return True
    return plain in CREDENTIALS and "credential" in _plain(holder)


def _members(output: Any) -> Iterator[tuple[str, Any, str]]:
    """All members of an answer, however deep; those of a shape that is there twice, once."""
    waiting = [(output, "")] if output is not None else []
    seen: set[str] = set()
    while waiting:
        shape, called = waiting.pop()
        if shape.type_name == "list":
            waiting.append((shape.member, called))
        elif shape.type_name == "map":
            waiting.append((shape.value, called))
        elif shape.type_name == "structure" and shape.name not in seen:
            seen.add(shape.name)
            for name, member in shape.members.items():
                yield name, member, f"{called} {shape.name}"
                waiting.append((member, name))


def _plain(name: str) -> str:
    return re.sub("[^0-9a-z]", "", name.lower())
