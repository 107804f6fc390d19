"""The services: one table of operations each."""

from collections.abc import Mapping

from botod.daemon.services import s3_table, sdb, sqs
from botod.daemon.services.operation import Service

SERVICES: Mapping[str, Service] = {"s3": s3_table.SERVICE, "sdb": sdb.SERVICE, "sqs": sqs.SERVICE}

__all__ = ["SERVICES"]
