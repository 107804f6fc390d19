"""botocore's files of data: models of services, rules of their endpoints, AWS's partitions."""

import gzip
import json
import os
from pathlib import Path
from typing import Any

import botocore.loaders
from botocore.loaders import Loader


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


def aws_loader() -> Loader:
    """A new one: it keeps all that it loads. Models in a user's home are none of a daemon's."""
    return Loader(
        extra_search_paths=[botocore.loaders.Loader.BUILTIN_DATA_PATH],
        file_loader=_Files(),
        include_default_search_paths=False,
    )


def newest(loader: Loader, service: str, kind: str) -> str:
    """The name by which a loader finds the newest file of a kind. Raises DataNotFoundError."""
    version = loader.determine_latest_version(service, kind)
    return os.path.join(service, version, kind)  # noqa: PTH118 - a name that the loader looks for


def _without_words(table: dict[str, Any]) -> dict[str, Any]:
    if isinstance(table.get("documentation"), str):
        del table["documentation"]
    return table
