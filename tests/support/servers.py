"""Servers that speak the real protocols."""

from typing import NamedTuple


class Servers(NamedTuple):
    """Where each service is, as URLs."""

    s3: str
    sqs: str
    sdb: str
