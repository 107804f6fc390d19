"""The services: one table of operations each."""

from collections.abc import Mapping

from botod.daemon.services import s3_table, sdb, sqs_table
from botod.daemon.services.operation import Service

SERVICES: Mapping[str, Service] = {
    "s3": s3_table.SERVICE,
    "sdb": sdb.SERVICE,
    "sqs": sqs_table.SERVICE,
}

__all__ = ["SERVICES"]
