"""Where the daemon's AWS keys come from: the environment, else the shared credentials file.

Keys are read at the start, never in the middle of a job. They are printed nowhere.
"""

import configparser
import os
from collections.abc import Mapping
from pathlib import Path

from botod.pool import HeldKeys


class BadCredentialsFile(Exception):
    """The shared credentials file cannot be read as one. Says nothing of what is in it."""


def find_keys(profile: str, environ: Mapping[str, str] = os.environ) -> HeldKeys | None:
    """The keys of a profile; None if there are none.

    The profile called default may have its keys in AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and
    AWS_SESSION_TOKEN. Others, and it without those, have them in the section of the same name in
    $AWS_SHARED_CREDENTIALS_FILE (default ~/.aws/credentials). Raises BadCredentialsFile.
    """
    if profile == "default" and environ.get("AWS_ACCESS_KEY_ID"):
        return _keys({name.lower(): value for name, value in environ.items()})
    path = environ.get("AWS_SHARED_CREDENTIALS_FILE") or Path("~/.aws/credentials").expanduser()
    parser = configparser.RawConfigParser()
    try:
        parser.read(path)
    except (configparser.Error, UnicodeDecodeError) as error:  # their texts quote the file's lines
        kind = type(error).__name__
        raise BadCredentialsFile(f"{path}: not a credentials file: {kind}") from None
    return _keys(parser[profile]) if parser.has_section(profile) else None


def _keys(values: Mapping[str, str]) -> HeldKeys | None:
    access_key = values.get("aws_access_key_id")
    secret_key = values.get("aws_secret_access_key")
    if not access_key or not secret_key:
        return None
    return HeldKeys(access_key, secret_key, values.get("aws_session_token") or None)
