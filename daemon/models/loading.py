"""A service's model, read from botocore's files.

In a thread: the largest takes 40 ms, and half of that is one call into C that no other thread can
interrupt, unless each object that it makes is handed to a function of Python's.
"""

from collections.abc import Iterable
from typing import Any

from botocore.exceptions import DataNotFoundError
from botocore.loaders import ExtrasProcessor, Loader
from botocore.model import ServiceModel

from botod.daemon.aws_data import aws_loader, newest

KIND = "service-2"


def service_names() -> list[str]:
    """All services that there are models of. Takes 50 ms."""
    return list(aws_loader().list_available_services(KIND))


def load_model(service: str) -> ServiceModel:
    """The newest model of a service."""
    loader = aws_loader()
    name = newest(loader, service, KIND)
    data = loader.load_data(name)
    ExtrasProcessor().process(data, _extras(loader, f"{name}.sdk-extras"))
    return ServiceModel(data, service)


def _extras(loader: Loader, name: str) -> Iterable[Any]:
    try:
        return [loader.load_data(name)]
    except DataNotFoundError:
        return []
