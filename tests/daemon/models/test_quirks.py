"""What the models do not say: results and requests that are changed on their way."""

import base64
import json
from typing import Any
from urllib.parse import quote

import pytest

from botod.daemon.models.quirk import PLAIN
from botod.daemon.models.quirks import decoded_document, quirk_of
from botod.daemon.services.shapes import InvalidParam
from support.services import CannedService, query_xml, reply, xml

POLICY = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow"}]}


def test_policies_of_iam_are_what_they_say() -> None:
    """Wherever in an answer one stands; a text that is none stays."""
    document = quote(json.dumps(POLICY))
    inside = f"<User><UserName>u</UserName></User><PolicyDocument>{document}</PolicyDocument>"
    answer = CannedService(query_xml("GetUserPolicy", inside)).call(
        "iam.get_user_policy", {"UserName": "u", "PolicyName": "p"}
    )
    assert answer["PolicyDocument"] == POLICY
    details = (
        "<RoleDetailList><member><AssumeRolePolicyDocument>"
        f"{document}</AssumeRolePolicyDocument></member></RoleDetailList>"
    )
    canned = CannedService(query_xml("GetAccountAuthorizationDetails", details))
    answer = canned.call("iam.get_account_authorization_details")
    assert answer["RoleDetailList"][0]["AssumeRolePolicyDocument"] == POLICY
    assert decoded_document("%7Bnot json") == "%7Bnot json"


@pytest.mark.parametrize(
    ("text", "expected"),
    [(json.dumps(POLICY), POLICY), ("A:\n  a: b", "A:\n  a: b")],
)
def test_templates_of_cloudformation(text: str, expected: Any) -> None:
    """JSON as what it says, YAML as a text."""
    canned = CannedService(query_xml("GetTemplate", f"<TemplateBody>{text}</TemplateBody>"))
    answer = canned.call("cloudformation.get_template", {"StackName": "s"})
    assert answer["TemplateBody"] == expected


def test_the_console_of_ec2() -> None:
    """As the text that it is, whatever bytes came."""
    output = base64.b64encode(b"boot \xff ok").decode()
    body = f"<GetConsoleOutputResponse><output>{output}</output></GetConsoleOutputResponse>"
    answer = CannedService(xml(body)).call("ec2.get_console_output", {"InstanceId": "i"})
    assert answer["Output"] == "boot \N{REPLACEMENT CHARACTER} ok"
    empty = CannedService(xml("<GetConsoleOutputResponse/>"))
    assert "Output" not in empty.call("ec2.get_console_output", {"InstanceId": "i"})


def test_user_data_of_bytes() -> None:
    """In base64, in the place where EC2 has it as a text."""
    service = CannedService(reply("<RunInstancesResponse/>"))
    data = {"UserData": b"\xff\x00", "MinCount": 1, "MaxCount": 1}
    service.call("ec2.run_instances", data)
    assert b"UserData=%2FwA%3D&" in service.requests[0].body


def test_ids_of_route53() -> None:
    """Without their prefix; one that is nothing else would be the path of another operation."""
    service = CannedService(reply("<GetHostedZoneResponse/>"))
    service.call("route53.get_hosted_zone", {"Id": "/hostedzone/Z1"})
    with pytest.raises(InvalidParam, match="Id ends in '/': it has to end in an id"):
        service.call("route53.get_hosted_zone", {"Id": "x/"})
    assert [request.target for request in service.requests] == ["/2013-04-01/hostedzone/Z1"]


def test_one_of_an_operation_s_own_goes_before_its_service_s() -> None:
    """And most have none."""
    assert quirk_of("dynamodb", "get_item") is PLAIN
    assert quirk_of("glacier", "list_vaults") is quirk_of("glacier", "describe_vault")
    assert quirk_of("glacier", "upload_archive") is not quirk_of("glacier", "list_vaults")
