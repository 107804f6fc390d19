"""The operations of one service as methods, named and behaving as boto3's."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping

from botod.ipc.errors import ClientError, service_error
from botod.ipc.files import PartFile, Progress, is_special
from botod.ipc.paging import PAGED, Pages, Paging, paging_of
from botod.ipc.requests import merged, prepared
from botod.ipc.sending import to_fill

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Unpack

    from botod.ipc.lines import Lines
    from botod.ipc.options import Options

COPY_BYTES = 256 * 1024

Callback = Callable[[int], object]
"""Called with the bytes that were moved since the last call."""


class Exceptions:
    """Kinds of ClientError by the names that boto3 has for them: `exceptions.NoSuchKey`."""

    def __getattr__(self, name: str) -> type[ClientError]:
        if name.startswith("_"):
            raise AttributeError(name)
        return ClientError if name == "ClientError" else service_error(name)


class Client:
    """The operations of one service: `client.get_object(Bucket="bucket", Key="k")`."""

    exceptions = Exceptions()

    def __init__(self, lines: Lines, service: str, options: Mapping[str, Any]) -> None:
        self._lines = lines
        self._service = service
        self._options = options

    def __repr__(self) -> str:
        return f"<Client {self._service} at {self._lines.path}>"

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        """Made when it is first asked for, and kept: Python does not come here again."""
        if operation.startswith("_"):
            raise AttributeError(operation)
        lines, method, options = self._lines, f"{self._service}.{operation}", self._options

        def call(**params: Any) -> Any:  # not of `self`, which keeps it: that would be a cycle
            if "Body" in params:
                params = prepared(params)
            return lines.do(method, params, options, reads_streams=True)

        call.__name__ = operation
        vars(self)[operation] = call
        return call

    def with_options(self, **options: Unpack[Options]) -> Client:
        """The same client with other options, for one call or for many."""
        return Client(self._lines, self._service, merged(self._options, options))

    def can_paginate(self, operation_name: str) -> bool:
        return (self._service, operation_name) in PAGED

    def get_paginator(self, operation_name: str) -> Paginator:
        """Raises ValueError if the operation does not answer in pages."""
        paging = paging_of(self._service, operation_name)
        return Paginator(getattr(self, operation_name), paging)

    def upload_file(
        self,
        Filename: str | os.PathLike[str],  # noqa: N803 - boto3's names
        Bucket: str,  # noqa: N803
        Key: str,  # noqa: N803
        ExtraArgs: Mapping[str, Any] | None = None,  # noqa: N803
        Callback: Callback | None = None,  # noqa: N803
    ) -> None:
        """Put a file as an object; the daemon reads it, its bytes do not pass through here."""
        with open(Filename, "rb") as file:  # noqa: PTH123 - pathlib is slow to import
            self.upload_fileobj(file, Bucket, Key, ExtraArgs, Callback)

    def upload_fileobj(
        self,
        Fileobj: Any,  # noqa: N803
        Bucket: str,  # noqa: N803
        Key: str,  # noqa: N803
        ExtraArgs: Mapping[str, Any] | None = None,  # noqa: N803
        Callback: Callback | None = None,  # noqa: N803
    ) -> None:
        """Put what a file object gives from where it stands to its end."""
        progress = Progress(Callback, "bytes_sent")
        params = prepared({"Bucket": Bucket, "Key": Key, "Body": Fileobj, **(ExtraArgs or {})})
        result = self._do("upload_file", params, progress)
        progress.reached(result["Size"])

    def download_file(
        self,
        Bucket: str,  # noqa: N803
        Key: str,  # noqa: N803
        Filename: str | os.PathLike[str],  # noqa: N803
        ExtraArgs: Mapping[str, Any] | None = None,  # noqa: N803
        Callback: Callback | None = None,  # noqa: N803
    ) -> None:
        """Get an object as a file, which is there whole, or as it was before."""
        path = os.fspath(Filename)
        if is_special(path):
            with open(path, "wb") as special:  # noqa: PTH123
                self.download_fileobj(Bucket, Key, special, ExtraArgs, Callback)
            return
        with PartFile(path) as part:
            self.download_fileobj(Bucket, Key, part.file, ExtraArgs, Callback)
            part.keep()

    def download_fileobj(
        self,
        Bucket: str,  # noqa: N803
        Key: str,  # noqa: N803
        Fileobj: Any,  # noqa: N803
        ExtraArgs: Mapping[str, Any] | None = None,  # noqa: N803
        Callback: Callback | None = None,  # noqa: N803
    ) -> None:
        """Write an object to a file object, where it stands.

        After an error a part of it may have been written.
        """
        progress = Progress(Callback, "bytes_received")
        params = {"Bucket": Bucket, "Key": Key, **(ExtraArgs or {})}
        part = to_fill(Fileobj)
        if part is None:
            with self._do("download_file", params)["Body"] as body:
                for chunk in body.iter_chunks(COPY_BYTES):
                    Fileobj.write(chunk)
                    progress.reached(body.tell())
            return
        result = self._do("download_file", {**params, "Body": part}, progress)
        if part.offset is not None:
            Fileobj.seek(part.offset + result["ContentLength"])
        progress.reached(result["ContentLength"])

    def _do(self, operation: str, params: dict[str, Any], progress: Progress | None = None) -> Any:
        return self._lines.do(
            f"{self._service}.{operation}",
            params,
            self._options,
            reads_streams=True,
            on_progress=None if progress is None else progress.listener,
        )


class Paginator:
    """The pages of an operation: `for page in paginator.paginate(Bucket="bucket")`."""

    def __init__(self, call: Callable[..., Any], paging: Paging) -> None:
        self._call = call
        self._paging = paging

    def paginate(self, **params: Any) -> PageIterator:
        """PaginationConfig: as boto3's: MaxItems, PageSize, StartingToken."""
        config = params.pop("PaginationConfig", None)
        return PageIterator(self._call, lambda: Pages(self._paging, params, config))


class PageIterator:
    """Pages, fetched as they are asked for; each iteration begins anew."""

    def __init__(self, call: Callable[..., Any], begin: Callable[[], Pages]) -> None:
        self._call = call
        self._begin = begin

    def __iter__(self) -> Iterator[dict[str, Any]]:
        pages = self._begin()
        while pages.params is not None:
            yield pages.took(self._call(**pages.params))

    def build_full_result(self) -> dict[str, Any]:
        """All pages' items in one result."""
        return self._begin().gathered(list(self))
