"""nginx with TLS and keep-alive on a free loopback port, for benchmarks: it costs little itself."""

import contextlib
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import trustme

from harness.environment import debian
from harness.processes import CORES, cpu_of, family, on

SENT = (
    "<SendMessageResponse><SendMessageResult><MD5OfMessageBody>fafb00f5732ab283681e124bf8747ed1"
    "</MD5OfMessageBody><MessageId>5fea7756-0ea4-451a-a703-a558b933e274</MessageId>"
    "</SendMessageResult></SendMessageResponse>"
)

ETAG = "fafb00f5732ab283681e124bf8747ed1"

SENT_JSON = (
    '{"MD5OfMessageBody":"fafb00f5732ab283681e124bf8747ed1",'
    '"MessageId":"5fea7756-0ea4-451a-a703-a558b933e274"}'
)
"""The same in the protocol that botocore speaks."""

CREATED = "<InitiateMultipartUploadResult><UploadId>one</UploadId></InitiateMultipartUploadResult>"

COMPLETED = f"""<CompleteMultipartUploadResult><ETag>"{ETAG}-1"</ETag>\
</CompleteMultipartUploadResult>"""

CONFIG = """\
daemon off; pid {folder}/pid; error_log {folder}/error.log; worker_processes 1;
events {{ worker_connections 16384; }}
http {{
  map $args $page {{ default 1; "~continuation-token=(?<token>[0-9]+)" $token; }}
  map "$request_method $args" $asked {{
    default "";
    "~^POST uploads" create;
    "~^POST uploadId" complete;
  }}
  access_log off; keepalive_requests 100000000; keepalive_timeout 600s;
  client_body_temp_path {folder}/body; client_max_body_size 0;
  server {{
    listen 127.0.0.1:{port} ssl backlog=16384;
    ssl_certificate {folder}/chain.pem; ssl_certificate_key {folder}/key.pem;
    ssl_protocols TLSv1.3;
    location /bucket/ {{ alias {folder}/files/; }}
    location /1/ {{ return 200 '{sent}'; }}
    location = / {{ default_type application/x-amz-json-1.0; return 200 '{sent_json}'; }}
    location /put/ {{
      if ($asked = create) {{ return 200 '{created}'; }}
      if ($asked = complete) {{ return 200 '{completed}'; }}
      add_header ETag '"{etag}"' always;
      alias {folder}/files/; dav_methods PUT; client_body_buffer_size 1m;
    }}
    location ~ "^/tree/?$" {{ root {folder}/pages; try_files /$page =404; }}
    location /tree/ {{ alias {folder}/files/; dav_methods PUT; create_full_put_path on; }}
    location = /status {{ stub_status; }}
  }}
}}
"""


AUTHORITY = trustme.CA()
"""One for all servers of a run, so that one file verifies them."""


class Counts(NamedTuple):
    """What nginx has seen so far."""

    connections: int
    requests: int


class Nginx(NamedTuple):
    """nginx while it runs."""

    port: int
    ca_file: str
    files: Path
    pages: Path
    pid: int

    @property
    def url(self) -> str:
        """Where S3 and SQS are."""
        return f"https://localhost:{self.port}"

    def cpu_s(self) -> float:
        """What its processes have used so far."""
        return cpu_of(family(self.pid))

    def counts(self) -> Counts:
        """By its own count; asking is a connection and a request as well."""
        context = ssl.create_default_context(cafile=self.ca_file)
        url = f"https://127.0.0.1:{self.port}/status"
        with urllib.request.urlopen(url, context=context, timeout=10) as answer:
            numbers = answer.read().split(b"\n")[2].split()
        return Counts(int(numbers[0]), int(numbers[2]))


@contextlib.contextmanager
def running_nginx(where: str | None = None) -> Iterator[Nginx]:
    """Serve /bucket/k (1 KiB), /bucket/k64 (64 KiB) and /1/q, which answers a SendMessage.

    For the length of a block; / answers a SendMessage of botocore's. It has the last core.

    /put/NAME takes an object, whole or in parts, each of which is kept in the place of the one
    before; /bucket/NAME gives it, or a part of it. The bucket "tree" takes and gives objects
    whose keys are paths, and is listed by what stands in `pages`. where: the folder for its files.
    """
    binary = debian("nginx")
    with tempfile.TemporaryDirectory(prefix="botod-bench-", dir=where) as folder:
        authority = AUTHORITY
        authority.cert_pem.write_to_path(f"{folder}/ca.pem")
        certificate = authority.issue_cert("localhost", "127.0.0.1")
        certificate.private_key_pem.write_to_path(f"{folder}/key.pem")
        for blob in certificate.cert_chain_pems:
            blob.write_to_path(f"{folder}/chain.pem", append=True)
        files = Path(folder, "files")
        files.mkdir()
        objects = {files / "k": 1024, files / "k64": 64 * 1024}
        for path, size in objects.items():
            path.write_bytes(b"x" * size)
        for path in (Path(folder), *objects):  # nginx's worker is another user
            path.chmod(0o755)
        files.chmod(0o777)
        pages = Path(folder, "pages")
        pages.mkdir()
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        config = Path(folder, "nginx.conf")
        config.write_text(
            CONFIG.format(
                folder=folder,
                port=port,
                sent=SENT,
                sent_json=SENT_JSON,
                created=CREATED,
                completed=COMPLETED,
                etag=ETAG,
            )
        )
        with on({max(CORES)}):
            process = subprocess.Popen([binary, "-c", str(config), "-e", f"{folder}/error.log"])
        try:
            _wait_for(port)
            yield Nginx(port, f"{folder}/ca.pem", files, pages, process.pid)
        finally:
            process.terminate()
            process.wait(10)


def _wait_for(port: int) -> None:
    for _ in range(200):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)
    sys.exit("nginx does not listen")
