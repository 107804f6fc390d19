"""AWS's own host names over HTTPS, in a network of the test's own: the most honest way there is.

Each call is done by botod and, straight, by boto3; both reach one server that sees who was asked.
"""

import os

import pytest

from support.private_network import run_in_it

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can have a network of its own")

BOUND_S = 120.0

CALLS = """
import json, sys, boto3, botocore.config
from support.daemons import running_daemon, as_toml
folder = sys.argv[1]
config = {
    "pool": {"ca_file": folder + "/ca.pem"},
    "profile": {
        "default": {"region": "eu-central-1"},
        "oldest": {"region": "us-east-1", "aws_profile": "default"},
        "dual": {"region": "us-east-1", "aws_profile": "default", "dual_stack": True},
    },
}

def steps(client, name):
    s3, sqs = client("s3"), client("sqs")
    s3.create_bucket(
        Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
    )
    s3.put_object(Bucket=name, Key="a b/é+%", Body=bytes(range(256)), Metadata={"x": "y"})
    got = s3.get_object(Bucket=name, Key="a b/é+%")
    said = {key.lower(): value for key, value in got["Metadata"].items()}
    yield list(got["Body"].read()) == list(range(256)), said, got["ETag"]
    yield [item["Key"] for item in s3.list_objects_v2(Bucket=name)["Contents"]]
    s3.create_bucket(
        Bucket=name + ".dots", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
    )
    yield s3.put_object(Bucket=name + ".dots", Key="k", Body=b"x")["ETag"]
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    yield url.replace(name, "NAME")
    yield sqs.send_message(QueueUrl=url, MessageBody="hé")["MD5OfMessageBody"]
    yield [m["Body"] for m in sqs.receive_message(QueueUrl=url)["Messages"]]

with running_daemon(config) as daemon, daemon.connect() as connection:
    ours = list(steps(connection.client, "ours"))
    theirs = list(steps(
        lambda service: boto3.client(
            service, region_name="eu-central-1", verify=folder + "/ca.pem"
        ),
        "theirs",
    ))
    oldest = connection.client("s3", profile="oldest")
    oldest.create_bucket(Bucket="oldest")
    dual = connection.client("s3", profile="dual").head_bucket(Bucket="oldest")
    pools = [pool["origin"] for pool in connection.call("botod.status")["pools"]]
print(json.dumps({"ours": ours, "theirs": theirs, "pools": sorted(pools)}))
"""


@needs_root
def test_the_same_as_boto3_under_aws_s_own_names() -> None:
    """Hosts of regions and buckets, their certificates, signing scopes: as boto3 has them."""
    found = run_in_it(CALLS, BOUND_S)
    assert found["ours"] == found["theirs"]
    assert found["pools"] == [
        "https://oldest.s3.amazonaws.com:443",
        "https://oldest.s3.dualstack.us-east-1.amazonaws.com:443",
        "https://ours.s3.eu-central-1.amazonaws.com:443",
        "https://s3.eu-central-1.amazonaws.com:443",
        "https://sqs.eu-central-1.amazonaws.com:443",
    ]
