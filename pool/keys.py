"""The keys that boto signs with: given from outside, never looked for."""

from typing import Any

import boto.provider
from boto.provider import Provider
from boto.pyami.config import Config


class _LateConfig(Config):  # type: ignore[misc]
    """boto's reader of the shared credentials file, which reads when something is looked up.

    boto reads the file for each connection that is made, also where keys were given; on the loop
    that is a wait, and an error in it would quote the secret.
    """

    _path: str | None = None

    def load_from_path(self, path: str) -> None:
        """Called by Provider's constructor, and for a file that another one imports."""
        self._path = path

    @property
    def _parser(self) -> Any:
        path, self._path = self._path, None
        if path is not None:
            super().load_from_path(path)
        return self._read

    @_parser.setter
    def _parser(self, parser: Any) -> None:
        self._read = parser

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take all of what was pickled; boto's takes an attribute `_parser`, which is none here."""
        self.__dict__.update(state)


boto.provider.Config = _LateConfig


class HeldKeys(Provider):  # type: ignore[misc]
    """A provider of boto's that holds the keys it was given and never looks for any.

    boto's asks the metadata service from its constructor, and again in the middle of signing once
    its keys grow old. New keys are pushed in with `hold`.

    clock_offset_s: how much later it is at the servers that these are shown to than on this host's
    clock; signatures are dated so.
    """

    clock_offset_s = 0.0
    # boto's are properties, which ask first whether to fetch new ones.
    access_key: str = ""
    secret_key: str = ""
    security_token: str | None = None

    def __init__(self, access_key: str, secret_key: str, security_token: str | None = None) -> None:
        super().__init__("aws", access_key, secret_key, security_token)

    def get_credentials(
        self,
        access_key: str | None = None,
        secret_key: str | None = None,
        security_token: str | None = None,
        profile_name: str | None = None,  # noqa: ARG002 - boto's signature
    ) -> None:
        """Called by boto's constructor, to find keys; takes what it is given."""
        if access_key is None or secret_key is None:
            raise ValueError("HeldKeys needs an access key and a secret key")
        self.hold(access_key, secret_key, security_token)

    def hold(self, access_key: str, secret_key: str, security_token: str | None = None) -> None:
        """Sign with these from the next request on."""
        self.access_key = access_key
        self.secret_key = secret_key
        self.security_token = security_token
