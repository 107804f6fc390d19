"""Whether there are keys for each profile, whether they have ended, and whether AWS takes them.

Nothing of them is said but where they come from.
"""

import os
import time
from collections.abc import Iterator, Mapping
from typing import Any

import botocore.exceptions

from botod.daemon.credentials import Keys, NoKeys, sts_client
from botod.daemon.doctor.finding import Finding, bad, doubtful, good
from botod.daemon.endpoints import own_url
from botod.daemon.profile_settings import ProfileSettings
from botod.daemon.upstreams import keys_of

SOON_S = 900.0
"""Keys that end sooner than this should have been renewed by now."""

REFUSED = {
    "ExpiredToken": "they have expired",
    "ExpiredTokenException": "they have expired",
    "InvalidClientTokenId": "AWS does not know the access key",
    "UnrecognizedClientException": "AWS does not know the access key",
    "SignatureDoesNotMatch": "the secret key is not the access key's, or the clock is off",
}
"""What STS says of keys, whatever they may do: anybody may ask who they are."""


def look_at_keys(name: str, settings: ProfileSettings, ca_file: str | None) -> Iterator[Finding]:
    """Look for a profile's keys, and ask STS whose they are. Blocks for half a minute at most."""
    try:
        keys = keys_of(name, settings)
    except NoKeys as error:
        yield bad("credentials", f"profile {name!r}: {error}", _cure(name, str(error)))
        return
    if keys.expires_at is not None and keys.expires_at - time.time() < SOON_S:
        left_s = keys.expires_at - time.time()
        words = "have expired" if left_s <= 0 else f"expire in {left_s:.0f} s"
        level = bad if left_s <= 0 else doubtful
        cause = f"profile {name!r}: keys from {keys.source} {words}"
        yield level("credentials", cause, "renew them where they come from")
        return
    refusal = _refusal(keys, settings, ca_file)
    if refusal:
        yield bad(
            "credentials",
            f"profile {name!r}: keys from {keys.source}: {refusal}",
            "renew them where they come from, and look at the clock (timedatectl)",
        )
    else:
        yield good("credentials", f"profile {name!r}: keys from {keys.source}")


def told_keys(name: str, told: Mapping[str, Any]) -> Finding:
    """What the daemon has found itself, which may see other files and another environment."""
    if told["found_total"] and not told["failure"]:
        return good("credentials", f"profile {name!r}: keys from {told['source']}, says the daemon")
    failure = told["failure"] or "it is still looking"
    return bad("credentials", f"profile {name!r}: the daemon says: {failure}", _cure(name, failure))


def _refusal(keys: Keys, settings: ProfileSettings, ca_file: str | None) -> str:
    """Why AWS does not take them; empty: it does, or cannot be asked, which others say."""
    url = own_url("sts", settings)
    if settings.proxy or (url is None and settings.endpoints):
        return ""  # botocore would go round the proxy; keys for another server are not AWS's
    try:
        sts_client(keys, region=settings.region, url=url, ca_file=ca_file).get_caller_identity()
    except botocore.exceptions.ClientError as error:
        return REFUSED.get(error.response.get("Error", {}).get("Code", ""), "")
    except Exception:  # noqa: BLE001 - a library's border: what answers may be no STS at all
        return ""
    return ""


def _cure(name: str, words: str) -> str:
    me = os.geteuid()
    whose = f"this looked as user {me} with this environment: look as the daemon's user, too"
    if "expired" in words:
        return f"renew them where they come from; {whose}"
    if "Partial" in words or "is none" in words:
        return f"give all of them: access key, secret key, and the token of temporary ones; {whose}"
    if "could not be found" in words:
        return f"add [{name}] to AWS's files, or set aws_profile in [profile.{name}]; {whose}"
    return f"docs/credentials.md says where they may stand; {whose}"
