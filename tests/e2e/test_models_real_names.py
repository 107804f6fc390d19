"""Operations without rows under AWS's own host names, over HTTPS: the hosts that boto3 asks."""

import os

import pytest

from support.private_network import run_in_it
from support.scripts import SCRIPTS

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can have a network of its own")

BOUND_S = 200.0

CALLS = """
import json, sys, boto3
from botocore.exceptions import ClientError as Boto3Error
from botod.ipc import ClientError
from support.daemons import running_daemon
from support.scripts import SCRIPTS, play
folder = sys.argv[1]
region = "eu-central-1"
config = {"pool": {"ca_file": folder + "/ca.pem"}, "profile": {"default": {"region": region}}}

def told(client, service, name):
    found = []
    def do(operation, params):
        if operation == "create_bucket":
            params["CreateBucketConfiguration"] = {"LocationConstraint": region}
        try:
            answer = getattr(client, operation)(**params)
        except (ClientError, Boto3Error) as error:
            found.append([operation, error.response["Error"]["Code"]])
            return None
        found.append([operation, answer["ResponseMetadata"]["HTTPStatusCode"]])
        return answer
    play(SCRIPTS[service](), do, name)
    return found

ours, theirs, hosts = {}, {}, []
with running_daemon(config) as daemon, daemon.connect() as connection:
    for service in SCRIPTS:
        ours[service] = told(connection.client(service), service, "ours")
        client = boto3.client(service, region_name=region, verify=folder + "/ca.pem")
        theirs[service] = told(client, service, "theirs")
        hosts.append(client.meta.endpoint_url + ":443")
    pools = [pool["origin"] for pool in connection.call("botod.status")["pools"]]
print(json.dumps({"ours": ours, "theirs": theirs, "pools": pools, "hosts": hosts}))
"""


@needs_root
@pytest.mark.long
def test_services_are_asked_where_boto3_asks_them() -> None:
    """Under regional and global names, with signatures for the regions that belong to them."""
    found = run_in_it(CALLS, BOUND_S)
    for service in SCRIPTS:
        assert found["ours"][service] == found["theirs"][service], service
    buckets = {origin for origin in found["pools"] if ".s3." in origin}
    hosts = {host for host in found["hosts"] if "//s3." not in host}
    assert set(found["pools"]) - buckets - {"https://s3.eu-central-1.amazonaws.com:443"} == hosts
    assert buckets == {"https://bucket-ours.s3.eu-central-1.amazonaws.com:443"}
