"""Throwaway certificates: an authority, and servers that it vouches for."""

import ssl
from pathlib import Path
from typing import NamedTuple

import trustme


class Authority(NamedTuple):
    """An authority. `ca_file` is what a client has to trust to believe it."""

    ca: trustme.CA
    ca_file: str

    def server_context(self, *names: str) -> ssl.SSLContext:
        """TLS for a server that has a certificate for `names`; it would speak HTTP/2, if asked."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_alpn_protocols(["h2", "http/1.1"])
        self.ca.issue_cert(*names).configure_cert(context)
        return context


def new_authority(folder: Path) -> Authority:
    """An authority whose own certificate is written to `folder`, which is made if missing."""
    folder.mkdir(exist_ok=True)
    ca = trustme.CA()
    ca_file = folder / "ca.pem"
    ca.cert_pem.write_to_path(str(ca_file))
    return Authority(ca, str(ca_file))
