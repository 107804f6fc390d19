"""AWS's common runtime in C: its S3 client, from asyncio's tasks."""

import asyncio
import io
from pathlib import Path

from awscrt.auth import AwsCredentialsProvider
from awscrt.http import HttpHeaders, HttpRequest
from awscrt.io import ClientTlsContext, InputStream, TlsConnectionOptions, TlsContextOptions
from awscrt.s3 import S3Client, S3RequestTlsMode, S3RequestType

from load.drivers import by_tasks
from load.meter import Meter
from load.task import Task


def client_for(task: Task) -> S3Client:
    options = TlsContextOptions()
    options.override_default_trust_store(Path(task.ca_file).read_bytes())
    tls: TlsConnectionOptions = ClientTlsContext(options).new_connection_options()
    return S3Client(
        region="us-east-1",
        tls_mode=S3RequestTlsMode.ENABLED,
        tls_connection_options=tls,
        credential_provider=AwsCredentialsProvider.new_static("access", "secret"),
    )


def run(task: Task) -> Meter:
    return asyncio.run(_run(task))


async def _run(task: Task) -> Meter:
    client, loop = client_for(task), asyncio.get_running_loop()
    path = "/put/awscrt" if task.kind == "put" else f"/bucket/{task.key}"

    async def ask() -> None:
        headers = [("Host", f"{task.host}:{task.port}")]
        body = None
        if task.kind == "put":
            headers.append(("Content-Length", str(len(task.body))))
            body = InputStream(io.BytesIO(task.body))
        request = HttpRequest("PUT" if body else "GET", path, HttpHeaders(headers), body)
        pieces: list[bytes] = []
        made = client.make_request(
            type=S3RequestType.DEFAULT,
            operation_name="PutObject" if body else "GetObject",
            request=request,
            on_body=lambda chunk, **_where: pieces.append(chunk),
        )
        await asyncio.wrap_future(made.finished_future, loop=loop)

    return await by_tasks(Meter(task), ask)
