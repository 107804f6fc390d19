"""Where the daemon's AWS keys come from: the environment, else the shared credentials file.

Keys are read at the start, never in the middle of a job. They are printed nowhere.
"""

import configparser
import os
import re
from collections.abc import Mapping
from pathlib import Path

from botod.pool import HeldKeys


class BadCredentials(Exception):
    """What should be keys, or a file of them, is none. Says nothing of what is in it."""


def find_keys(profile: str, environ: Mapping[str, str] = os.environ) -> HeldKeys | None:
    """The keys of a profile; None if there are none.

    The profile called default may have its keys in AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and
    AWS_SESSION_TOKEN. Others, and it without those, have them in the section of the same name in
    $AWS_SHARED_CREDENTIALS_FILE (default ~/.aws/credentials). Raises BadCredentials.
    """
    if profile == "default" and environ.get("AWS_ACCESS_KEY_ID"):
        return _keys({name.lower(): value for name, value in environ.items()}, "the environment")
    path = environ.get("AWS_SHARED_CREDENTIALS_FILE") or Path("~/.aws/credentials").expanduser()
    parser = configparser.RawConfigParser()
    try:
        parser.read(path)
    except (configparser.Error, UnicodeDecodeError) as error:  # their texts quote the file's lines
        kind = type(error).__name__
        raise BadCredentials(f"{path}: not a credentials file: {kind}") from None
    return _keys(parser[profile], f"{path} [{profile}]") if parser.has_section(profile) else None


def _keys(values: Mapping[str, str], where: str) -> HeldKeys | None:
    access_key = values.get("aws_access_key_id")
    secret_key = values.get("aws_secret_access_key")
    token = values.get("aws_session_token") or None
    if not access_key or not secret_key:
        return None
    for name, value in (("access key", access_key), ("secret key", secret_key), ("token", token)):
        if value is not None and not re.fullmatch(r"[!-~]+", value):
            raise BadCredentials(
                f"the {name} in {where} is none: it has blanks, or characters beyond ASCII"
            )
    return HeldKeys(access_key, secret_key, token)
