"""The operations of one service as coroutine methods, named and behaving as boto3's."""

import os
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Unpack

from botod.ipc.aio_lines import AsyncLines
from botod.ipc.files import PartFile, Progress, is_special
from botod.ipc.options import Options
from botod.ipc.paging import PAGED, Pages, paging_of
from botod.ipc.requests import merged, prepared
from botod.ipc.sending import to_fill
from botod.ipc.service_client import COPY_BYTES, Exceptions


class Client:
    """The operations of one service: `await client.get_object(Bucket="bucket", Key="k")`."""

    exceptions = Exceptions()

    def __init__(self, lines: AsyncLines, service: str, options: Mapping[str, Any]) -> None:
        self._lines = lines
        self._service = service
        self._options = options

    def __repr__(self) -> str:
        return f"<aio.Client {self._service} at {self._lines.path}>"

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        """Made when it is first asked for, and kept: Python does not come here again."""
        if operation.startswith("_"):
            raise AttributeError(operation)
        lines, method, options = self._lines, f"{self._service}.{operation}", self._options

        async def call(**params: Any) -> Any:  # not of `self`, which keeps it: a cycle
            if "Body" in params:
                params = prepared(params)
            return await lines.do(method, params, options, reads_streams=True)

        call.__name__ = operation
        vars(self)[operation] = call
        return call

    def with_options(self, **options: Unpack[Options]) -> "Client":
        """The same client with other options, for one call or for many."""
        return Client(self._lines, self._service, merged(self._options, options))

    def can_paginate(self, operation_name: str) -> bool:
        return (self._service, operation_name) in PAGED

    def get_paginator(self, operation_name: str) -> "Paginator":
        """Raises ValueError if the operation does not answer in pages."""
        paging = paging_of(self._service, operation_name)
        return Paginator(
            getattr(self, operation_name), lambda params, config: Pages(paging, params, config)
        )

    async def upload_file(
        self,
        Filename: str | os.PathLike[str],  # noqa: N803 - boto3's names
        Bucket: str,  # noqa: N803
        Key: str,  # noqa: N803
        ExtraArgs: Mapping[str, Any] | None = None,  # noqa: N803
        Callback: Callable[[int], object] | None = None,  # noqa: N803
    ) -> None:
        """Put a file as an object; the daemon reads it."""
        with open(Filename, "rb") as file:  # noqa: PTH123, ASYNC230 - opened, not read
            await self.upload_fileobj(file, Bucket, Key, ExtraArgs, Callback)

    async def upload_fileobj(
        self,
        Fileobj: Any,  # noqa: N803
        Bucket: str,  # noqa: N803
        Key: str,  # noqa: N803
        ExtraArgs: Mapping[str, Any] | None = None,  # noqa: N803
        Callback: Callable[[int], object] | None = None,  # noqa: N803
    ) -> None:
        """Put what a file object gives from where it stands to its end."""
        progress = Progress(Callback, "bytes_sent")
        params = prepared({"Bucket": Bucket, "Key": Key, "Body": Fileobj, **(ExtraArgs or {})})
        result = await self._do("upload_file", params, progress)
        progress.reached(result["Size"])

    async def download_file(
        self,
        Bucket: str,  # noqa: N803
        Key: str,  # noqa: N803
        Filename: str | os.PathLike[str],  # noqa: N803
        ExtraArgs: Mapping[str, Any] | None = None,  # noqa: N803
        Callback: Callable[[int], object] | None = None,  # noqa: N803
    ) -> None:
        """Get an object as a file, which is there whole, or as it was before."""
        path = os.fspath(Filename)
        if is_special(path):
            with open(path, "wb") as special:  # noqa: PTH123, ASYNC230 - opened, not read
                await self.download_fileobj(Bucket, Key, special, ExtraArgs, Callback)
            return
        with PartFile(path) as part:
            await self.download_fileobj(Bucket, Key, part.file, ExtraArgs, Callback)
            part.keep()

    async def download_fileobj(
        self,
        Bucket: str,  # noqa: N803
        Key: str,  # noqa: N803
        Fileobj: Any,  # noqa: N803
        ExtraArgs: Mapping[str, Any] | None = None,  # noqa: N803
        Callback: Callable[[int], object] | None = None,  # noqa: N803
    ) -> None:
        """Write an object to a file object, where it stands."""
        progress = Progress(Callback, "bytes_received")
        params = {"Bucket": Bucket, "Key": Key, **(ExtraArgs or {})}
        part = to_fill(Fileobj)
        if part is None:
            done = 0
            async with (await self._do("download_file", params))["Body"] as body:
                async for chunk in body.iter_chunks(COPY_BYTES):
                    Fileobj.write(chunk)
                    done += len(chunk)
                    progress.reached(done)
            return
        result = await self._do("download_file", {**params, "Body": part}, progress)
        if part.offset is not None:
            Fileobj.seek(part.offset + result["ContentLength"])
        progress.reached(result["ContentLength"])

    async def _do(
        self, operation: str, params: dict[str, Any], progress: Progress | None = None
    ) -> Any:
        return await self._lines.do(
            f"{self._service}.{operation}",
            params,
            self._options,
            reads_streams=True,
            on_progress=None if progress is None else progress.listener,
        )


class Paginator:
    """The pages of an operation: `async for page in paginator.paginate(Bucket="bucket")`."""

    def __init__(self, call: Callable[..., Any], begin: Callable[[Any, Any], Pages]) -> None:
        self._call = call
        self._begin = begin

    async def paginate(self, **params: Any) -> AsyncIterator[dict[str, Any]]:
        """PaginationConfig: as boto3's: MaxItems, PageSize, StartingToken."""
        pages = self._begin(params, params.pop("PaginationConfig", None))
        while pages.params is not None:
            yield pages.took(await self._call(**pages.params))
