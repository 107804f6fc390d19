"""Where boto3 itself would send an operation, and for whom it would sign it."""

import os
from collections.abc import Iterator
from functools import cache
from typing import Any

import botocore.session
from botocore.config import Config

from botod.daemon.sites import Site, Wanted

REGIONS = ("us-east-1", "us-east-2", "eu-west-1", "us-gov-west-1", "cn-north-1", "ap-southeast-5")
"""Three partitions, and a region that an account has to ask for first."""

KEYS = {"aws_access_key_id": "a", "aws_secret_access_key": "b"}


def all_wanted() -> Iterator[Wanted]:
    """Each region, in all variants."""
    for region in REGIONS:
        for fips in (False, True):
            for dual_stack in (False, True):
                yield Wanted(region, fips, dual_stack)


def boto3_client(service: str, wanted: Wanted) -> Any:
    """botocore's own client, which boto3's is made of. Raises what botocore does."""
    config = Config(use_fips_endpoint=wanted.fips, use_dualstack_endpoint=wanted.dual_stack)
    return _session().create_client(service, region_name=wanted.region, config=config, **KEYS)


def boto3_site(client: Any, wire_name: str, params: dict[str, Any]) -> Site:
    """Where a client would send an operation. Raises what botocore does."""
    context: dict[str, Any] = {}
    model = client.meta.service_model.operation_model(wire_name)
    url, _headers, _properties = client._resolve_endpoint_ruleset(model, params, context)
    signing = context.get("signing", {})
    signer = client._request_signer
    return Site(
        url.removeprefix("https://"),
        signing.get("region") or signer.region_name,
        signing.get("signing_name") or signer.signing_name,
    )


@cache
def _session() -> Any:
    """One, so that it reads each file once; it asks no machine for its role."""
    os.environ.setdefault("AWS_EC2_METADATA_DISABLED", "true")
    return botocore.session.Session()
