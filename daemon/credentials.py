"""Where the daemon's AWS keys come from: AWS's own chain, by botocore.

The environment, the shared files with their roles and processes, web identity, the container's and
the machine's role. Everything here blocks, and is called in a thread (`refresher`). Each look is a
new one: what was renewed outside, a file or a token, is seen. Keys are printed nowhere, nor is what
may hold them: the words of other programs, and of services about signatures.
"""

import os
import re
import signal
import subprocess
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import botocore.config
import botocore.credentials
import botocore.exceptions
import botocore.session

CHAIN = "default"
"""The profile that is AWS's whole chain, environment first; others are sections of its files."""

FILES = {"credentials_file": ("AWS_SHARED_CREDENTIALS_FILE", "aws-credentials")}
FILES["config_file"] = ("AWS_CONFIG_FILE", "aws-config")
"""AWS's files: which variable names them, and under which name systemd's LoadCredential= may."""

PROCESS_TIMEOUT_S = 20.0
"""For a credential_process: some ask a person's browser, none of which is there for a daemon."""

STS = botocore.config.Config(
    connect_timeout=4, read_timeout=8, retries={"total_max_attempts": 2, "mode": "standard"}
)
"""How long the service that gives temporary keys may take: with both tries less than half a
minute."""


class NoKeys(Exception):
    """There are none, for this reason; it says nothing that is secret."""


@dataclass(frozen=True)
class Keys:
    """Keys as they were found. expires_at: in seconds since the epoch; None: they stay good."""

    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    token: str | None = field(default=None, repr=False)
    expires_at: float | None = None
    source: str = ""

    @property
    def triple(self) -> tuple[str, str, str | None]:
        """What signs."""
        return self.access_key, self.secret_key, self.token


def find_keys(aws_profile: str, region: str) -> Keys:
    """Look for the keys of a profile of AWS's files, or by the whole chain. Raises NoKeys."""
    try:
        return _keys(_session(aws_profile, region).get_credentials(), aws_profile)
    except NoKeys:
        raise
    except Exception as error:  # noqa: BLE001 - a library's border: plug-ins raise what they like
        raise NoKeys(words_of(error)) from None


def words_of(error: Exception) -> str:
    """What an error of botocore's says, without what may be secret."""
    if isinstance(error, botocore.exceptions.ClientError):
        said = error.response.get("Error", {})
        code = said.get("Code", "an error")
        # Of the others, what is said about a signature has the request in it, with its token.
        told = f": {said.get('Message', '')}" if code in ("AccessDenied", "ValidationError") else ""
        return f"{error.operation_name} answered {code}{told}"
    if isinstance(error, botocore.exceptions.CredentialRetrievalError):
        return f"{error.kwargs.get('provider')} failed"
    if isinstance(error, _TELLING):
        return " ".join(str(error).split())
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror}"
    if isinstance(error, subprocess.TimeoutExpired):
        return f"credential_process took more than {error.timeout:g} s"
    if isinstance(error, RuntimeError) and "still expired" in str(error):  # botocore's own
        why = "it gave keys that have expired"
    else:
        why = type(error).__name__
    return f"what gives them failed: {why}"


def sts_client(keys: Keys, *, region: str, url: str | None, ca_file: str | None) -> Any:
    """botocore's client of the service that gives temporary keys. It blocks, too."""
    return botocore.session.Session().create_client(
        "sts",
        region_name=region,
        endpoint_url=url,
        verify=ca_file,
        config=STS,
        aws_access_key_id=keys.access_key,
        aws_secret_access_key=keys.secret_key,
        aws_session_token=keys.token,
    )


def _session(aws_profile: str, region: str) -> Any:
    """A new one, whose every call for keys looks anew."""
    session = botocore.session.Session(profile=None if aws_profile == CHAIN else aws_profile)
    session.set_config_variable("region", region)
    session.set_default_client_config(STS)
    for variable, (named_by, name) in FILES.items():
        passed = Path(os.environ.get("CREDENTIALS_DIRECTORY", "/nowhere"), name)
        if not os.environ.get(named_by) and passed.is_file():
            session.set_config_variable(variable, str(passed))
    return session


def _keys(found: Any, aws_profile: str) -> Keys:
    if found is None:
        where = (
            "in the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY), AWS's shared files, "
            "the container or the machine's role"
        )
        if aws_profile != CHAIN:
            where = f"in the section [{aws_profile}] of AWS's shared files"
        raise NoKeys(f"there are none {where}")
    frozen = found.get_frozen_credentials()
    expiry = getattr(found, "_expiry_time", None)  # botocore tells it in no other way
    keys = Keys(
        frozen.access_key or "",
        frozen.secret_key or "",
        frozen.token or None,
        None if expiry is None else expiry.timestamp(),
        found.method or "",
    )
    for name, value in zip(("access key", "secret key", "token"), keys.triple, strict=True):
        if value is not None and not re.fullmatch(r"[!-~]+", value):
            raise NoKeys(f"the {name} from {keys.source} is none: it is empty, or has blanks")
    return keys


class _BoundedPopen(subprocess.Popen[bytes]):
    """A process that is ended, with all it has started, if it takes too long."""

    def __init__(self, args: Any, **options: Any) -> None:
        super().__init__(args, stdin=subprocess.DEVNULL, start_new_session=True, **options)

    def communicate(
        self,
        input: Any = None,  # noqa: A002 - subprocess's name
        timeout: float | None = None,
    ) -> tuple[bytes, bytes]:
        try:
            return super().communicate(input, PROCESS_TIMEOUT_S if timeout is None else timeout)
        except BaseException:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            self.wait()
            for pipe in (self.stdout, self.stderr):
                if pipe is not None:
                    pipe.close()
            raise


class _BoundedProcessProvider(botocore.credentials.ProcessProvider):  # type: ignore[misc]
    """botocore's waits for the process for ever."""

    def __init__(self, profile_name: str, load_config: Any, popen: Any = _BoundedPopen) -> None:
        super().__init__(profile_name, load_config, popen)


botocore.credentials.ProcessProvider = _BoundedProcessProvider

_TELLING = (
    botocore.exceptions.ConfigNotFound,
    botocore.exceptions.ConfigParseError,
    botocore.exceptions.ConnectTimeoutError,
    botocore.exceptions.EndpointConnectionError,
    botocore.exceptions.InfiniteLoopConfigError,
    botocore.exceptions.InvalidConfigError,
    botocore.exceptions.NoRegionError,
    botocore.exceptions.PartialCredentialsError,
    botocore.exceptions.ProfileNotFound,
    botocore.exceptions.ReadTimeoutError,
    botocore.exceptions.RefreshWithMFAUnsupportedError,
    botocore.exceptions.SSOTokenLoadError,
    botocore.exceptions.UnauthorizedSSOTokenError,
    botocore.exceptions.UnknownCredentialError,
)
"""Errors whose words name files, settings and hosts, nothing else."""
