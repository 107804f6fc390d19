"""A service's model, read from botocore's files.

In a thread: the largest takes 40 ms, and half of that is one call into C that no other thread can
interrupt, unless each object that it makes is handed to a function of Python's.
"""

import gzip
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import botocore.loaders
from botocore.exceptions import DataNotFoundError
from botocore.loaders import ExtrasProcessor, Loader
from botocore.model import ServiceModel

KIND = "service-2"


class _Files:
    """Reads JSON, plain or packed, without the documentation, which is most of a model."""

    def exists(self, path: str) -> bool:
        return any(Path(path + ending).is_file() for ending in _OPENERS)

    def load_file(self, path: str) -> Any:
        for ending, opener in _OPENERS.items():
            try:
                with opener(path + ending, "rb") as file:
                    raw = file.read()
            except FileNotFoundError:
                continue
            return json.loads(raw, object_hook=_without_words)
        return None


_OPENERS: dict[str, Any] = {".json": open, ".json.gz": gzip.open}


def service_names() -> list[str]:
    """All services that there are models of. Takes 50 ms."""
    return list(_loader().list_available_services(KIND))


def load_model(service: str) -> ServiceModel:
    """The newest model of a service."""
    loader = _loader()
    version = loader.determine_latest_version(service, KIND)
    folder = os.path.join(service, version)  # noqa: PTH118 - a name that the loader looks for
    data = loader.load_data(f"{folder}/{KIND}")
    ExtrasProcessor().process(data, _extras(loader, f"{folder}/{KIND}.sdk-extras"))
    return ServiceModel(data, service)


def _extras(loader: Loader, name: str) -> Iterable[Any]:
    try:
        return [loader.load_data(name)]
    except DataNotFoundError:
        return []


def _loader() -> Loader:
    """A new one: it keeps all that it loads. Models in a user's home are none of a daemon's."""
    return Loader(
        extra_search_paths=[botocore.loaders.Loader.BUILTIN_DATA_PATH],
        file_loader=_Files(),
        include_default_search_paths=False,
    )


def _without_words(table: dict[str, Any]) -> dict[str, Any]:
    if isinstance(table.get("documentation"), str):
        del table["documentation"]
    return table
