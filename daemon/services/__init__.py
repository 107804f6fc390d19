"""The services: tables of operations for those that have them, and the catalog of all."""

from collections.abc import Mapping

from botod.daemon.services import s3_table, sdb, sqs_table
from botod.daemon.services.catalog import Catalog
from botod.daemon.services.operation import Service

SERVICES: Mapping[str, Service] = {
    "s3": s3_table.SERVICE,
    "sdb": sdb.SERVICE,
    "sqs": sqs_table.SERVICE,
}

CATALOG = Catalog(SERVICES)
"""One a process: models are files that do not change."""

__all__ = ["CATALOG", "SERVICES"]
