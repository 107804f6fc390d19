"""What a request asks for, as a job."""

import os
from typing import Any

import pytest

from botod.daemon.intake import Intake
from botod.daemon.job import Job
from botod.daemon.services import CATALOG
from botod.ipc.descriptors import Descriptor
from botod.ipc.errors import Code, RpcError
from botod.ipc.exchange import Sender
from support.exchanges import Peer, incoming
from support.loops import run

SENDER = Sender(pid=1, uid=2, gid=3, connection_id=4)
ON_KEY = {"Bucket": "photos", "Key": "cat.jpg"}
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
INTAKE = Intake(timeout_s=60.0, timeout_max_s=900.0)


def job(method: str, params: dict[str, Any], **options: Any) -> Job:
    """The job of a request that arrives at second 1,000."""
    exchange = Peer(method, params, sender=SENDER, options=options).exchange
    operation = CATALOG.at_hand(method)
    assert operation is not None
    return INTAKE.job(exchange, operation, now=1000.0)


def refused(method: str, params: dict[str, Any], **options: Any) -> RpcError:
    """The error of a request that is none."""
    with pytest.raises(RpcError) as caught:
        job(method, params, **options)
    return caught.value


def test_a_plain_job() -> None:
    """Its deadline is the usual one; its key names user, priority and connection."""

    async def main() -> None:
        one = job("s3.get_object", ON_KEY)
        assert (one.service, one.name, one.method) == ("s3", "get_object", "s3.get_object")
        assert one.params == ON_KEY
        assert one.deadline == 1060.0
        assert (one.terms.key, one.terms.idempotent, one.terms.headers) == ((2, 0, 4), True, None)
        assert job("s3.get_object", ON_KEY, priority=5).terms.key == (2, 5, 4)

    run(main)


@pytest.mark.parametrize(("wait", "is_poll"), [({}, True), (0, False), (1, True), (20, True)])
def test_a_receive_that_may_wait_is_a_poll(wait: Any, is_poll: bool) -> None:
    """Where it does not say how long, the queue may; what does not wait is not one."""

    async def main() -> None:
        more = {"WaitTimeSeconds": wait} if wait != {} else {}
        assert job("sqs.receive_message", {"QueueUrl": "/1/q"} | more).terms.is_poll is is_poll
        assert not job("sqs.purge_queue", {"QueueUrl": "/1/q"}).terms.is_poll

    run(main)


def test_its_options() -> None:
    """Deadline, priority and trace come to where they are looked for."""

    async def main() -> None:
        one = job("s3.get_object", ON_KEY, timeout_s=7, priority=-3, traceparent=TRACE)
        assert (one.deadline, one.terms.key) == (1007.0, (2, -3, 4))
        assert one.terms.headers is not None
        assert list(one.terms.headers) == ["X-Amzn-Trace-Id"]

    run(main)


def test_what_may_be_large_may_take_long() -> None:
    """A job with a descriptor or a stream has the longest deadline, unless it names one."""

    async def main() -> None:
        descriptor = Descriptor(os.memfd_create("body"))
        stream = incoming([])
        for body in (descriptor, stream):
            assert job("s3.put_object", ON_KEY | {"Body": body}).deadline == 1900.0
            assert job("s3.put_object", ON_KEY | {"Body": body}, timeout_s=5).deadline == 1005.0
            error = refused("s3.put_object", ON_KEY | {"Body": body}, idempotency_key="k")
            assert error.code == Code.INVALID_PARAMS
        assert job("s3.get_object", ON_KEY | {"Body": descriptor}).deadline == 1900.0
        assert job("s3.put_object", ON_KEY | {"Body": b"x"}, idempotency_key="k").params
        descriptor.close()
        stream.close()

    run(main)


def test_what_no_job_is_made_of() -> None:
    """Wrong params and wrong options, each with what there is."""

    async def main() -> None:
        error = refused("s3.get_object", {}, traceparent=TRACE)
        assert (error.code, error.message) == (Code.INVALID_PARAMS, "Bucket is missing")
        assert error.data == {"traceparent": TRACE}
        assert "priority has to be" in refused("s3.get_object", ON_KEY, priority=99).message

    run(main)


def test_a_param_that_is_called_as_what_is_received() -> None:
    """It is a text, so that the job is as short as others, and may have a key."""

    async def main() -> None:
        operation = CATALOG.operation("codeartifact", "get_package_version_asset")
        assert operation.receives == "asset"
        params = dict.fromkeys(("domain", "repository", "package", "packageVersion"), "xy")
        params |= {"format": "npm", "asset": "a.tgz"}
        one = job("codeartifact.get_package_version_asset", params, idempotency_key="k")
        assert one.deadline == 1060.0
        assert one.params["asset"] == "a.tgz"

    run(main)
