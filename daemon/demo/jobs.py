"""What the demo's local processes do: each is a process of its own and knows only the client.

python -m botod.daemon.demo.jobs s3 --number 1
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Mapping

from botod.ipc import connect

BUCKET = "demo-bucket"
QUEUE = "demo-queue"
DOMAIN = "demo_domain"
MESSAGES = 5
EVERY_BYTE = bytes(range(256))


class WrongAnswer(Exception):
    """A job ended well, with something else than was expected."""


def expect(found: object, wanted: object) -> None:
    """Raise WrongAnswer unless both are equal."""
    if found != wanted:
        raise WrongAnswer(f"got {found!r}, expected {wanted!r}")


def set_up(_number: int) -> str:
    """Make the bucket, the queue and the domain that the others use."""
    connection = connect()
    connection.client("s3").create_bucket(Bucket=BUCKET)
    connection.client("sqs").create_queue(QueueName=QUEUE)
    connection.client("sdb").create_domain(DomainName=DOMAIN)
    return f"made bucket {BUCKET}, queue {QUEUE}, domain {DOMAIN}"


def put_get_list(number: int) -> str:
    """S3: put objects of all byte values, get them back, list them."""
    s3 = connect().client("s3")
    prefix = f"process {number}/"
    bodies = {f"{prefix}é {index}": EVERY_BYTE * (index * 100 + 1) for index in range(5)}
    for key, body in bodies.items():
        s3.put_object(Bucket=BUCKET, Key=key, Body=body, Metadata={"number": str(number)})
    for key, body in bodies.items():
        expect(s3.get_object(Bucket=BUCKET, Key=key)["Body"].read(), body)
    listed = s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix)["Contents"]
    expect({item["Key"]: item["Size"] for item in listed}, {k: len(b) for k, b in bodies.items()})
    total = sum(map(len, bodies.values()))
    return f"S3: put, got and listed {len(bodies)} objects, {total:,} bytes each way"


def send(number: int) -> str:
    """SQS: send messages one by one."""
    sqs = connect().client("sqs")
    url = sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"]
    for index in range(MESSAGES):
        sqs.send_message(QueueUrl=url, MessageBody=f"message {index} of process {number}")
    return f"SQS: sent {MESSAGES} messages"


def receive(_number: int) -> str:
    """SQS: wait for messages with long polls, and delete them."""
    sqs = connect().client("sqs")
    url = sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"]
    bodies: set[str] = set()
    polls = 0
    while len(bodies) < MESSAGES:
        polls += 1
        answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=5)
        for message in answer.get("Messages", []):
            bodies.add(message["Body"])
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return f"SQS: received and deleted {len(bodies)} messages in {polls} polls"


def put_select(number: int) -> str:
    """SimpleDB: put attributes and select them."""
    sdb = connect().client("sdb")
    names = [f"item {number}-{index}" for index in range(3)]
    for name in names:
        attributes = [{"Name": "colour", "Value": "blue"}, {"Name": "by", "Value": str(number)}]
        sdb.put_attributes(DomainName=DOMAIN, ItemName=name, Attributes=attributes)
    query = f"select * from `{DOMAIN}` where colour = 'blue' and `by` = '{number}'"  # noqa: S608
    items = sdb.select(SelectExpression=query, ConsistentRead=True)["Items"]
    expect(sorted(item["Name"] for item in items), names)
    return f"SimpleDB: put {len(names)} items and selected them by two attributes"


JOBS: Mapping[str, Callable[[int], str]] = {
    "set-up": set_up,
    "s3": put_get_list,
    "send": send,
    "receive": receive,
    "sdb": put_select,
}


def main() -> None:
    """Do one of JOBS and print a line about it."""
    parser = argparse.ArgumentParser(description="One of the demo's local processes.")
    parser.add_argument("job", choices=JOBS)
    parser.add_argument("--number", type=int, default=0)
    arguments = parser.parse_args()
    began = time.monotonic()
    words = JOBS[arguments.job](arguments.number)
    took_ms = (time.monotonic() - began) * 1000
    sys.stdout.write(f"  process {os.getpid()}: {words} ({took_ms:.0f} ms)\n")


if __name__ == "__main__":
    main()
