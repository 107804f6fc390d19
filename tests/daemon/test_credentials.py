"""Where keys come from, and that nothing of them is ever shown."""

from pathlib import Path

import pytest

from botod.daemon.credentials import BadCredentials, find_keys
from botod.pool import HeldKeys

ENVIRONMENT = {"AWS_ACCESS_KEY_ID": "env-access", "AWS_SECRET_ACCESS_KEY": "env-secret"}
FILE = """
[default]
aws_access_key_id = file-access
aws_secret_access_key = file%secret
[backup]
aws_access_key_id = backup-access
aws_secret_access_key = backup-secret
aws_session_token = backup-token
[half]
aws_access_key_id = half-access
"""


def in_file(tmp_path: Path, text: str | bytes = FILE) -> dict[str, str]:
    """An environment that names a credentials file with this text."""
    path = tmp_path / "credentials"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return {"AWS_SHARED_CREDENTIALS_FILE": str(path)}


def shown(keys: HeldKeys | None) -> tuple[str | None, ...] | None:
    """Keys as a tuple."""
    return None if keys is None else (keys.access_key, keys.secret_key, keys.security_token)


def test_the_environment_has_the_keys_of_the_default_profile(tmp_path: Path) -> None:
    """It comes before the file."""
    keys = find_keys("default", in_file(tmp_path) | ENVIRONMENT)
    assert shown(keys) == ("env-access", "env-secret", None)


def test_the_environment_may_have_a_session_token() -> None:
    """Temporary keys have one."""
    keys = find_keys("default", ENVIRONMENT | {"AWS_SESSION_TOKEN": "env-token"})
    assert shown(keys) == ("env-access", "env-secret", "env-token")


def test_an_empty_session_token_is_none() -> None:
    """A variable set to nothing is not sent as a token."""
    keys = find_keys("default", ENVIRONMENT | {"AWS_SESSION_TOKEN": ""})
    assert shown(keys) == ("env-access", "env-secret", None)


def test_half_of_a_key_is_none(tmp_path: Path) -> None:
    """In the environment as in the file."""
    assert find_keys("default", {"AWS_ACCESS_KEY_ID": "a"}) is None
    assert find_keys("half", in_file(tmp_path)) is None


def test_the_file_has_keys_by_profile(tmp_path: Path) -> None:
    """Taken as they stand: a percent sign is a character like any other."""
    environ = in_file(tmp_path)
    assert shown(find_keys("default", environ)) == ("file-access", "file%secret", None)
    assert shown(find_keys("backup", environ)) == (
        "backup-access",
        "backup-secret",
        "backup-token",
    )


def test_other_profiles_never_have_the_environment_s_keys(tmp_path: Path) -> None:
    """Those are of one account."""
    keys = find_keys("backup", in_file(tmp_path) | ENVIRONMENT)
    assert shown(keys) == ("backup-access", "backup-secret", "backup-token")
    assert find_keys("unknown", in_file(tmp_path) | ENVIRONMENT) is None


def test_without_a_file_there_are_no_keys(tmp_path: Path) -> None:
    """A file that is not there is no error."""
    environ = {"AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "missing")}
    assert find_keys("default", environ) is None


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # boto leaves a file
def test_the_usual_place_is_in_the_home_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """~/.aws/credentials, as for AWS's own tools."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "credentials").write_text(FILE)
    assert shown(find_keys("default", {})) == ("file-access", "file%secret", None)


@pytest.mark.parametrize(
    "text",
    [
        "aws_secret_access_key = hidden\n",
        "[default]\naws_secret_access_key hidden\n",
        "[default]\naws_secret_access_key = hidden\naws_secret_access_key = hidden\n",
        b"[default]\naws_secret_access_key = hidden\xff\n",
    ],
)
def test_a_broken_file_is_named_and_not_quoted(tmp_path: Path, text: str | bytes) -> None:
    """The parser's own errors show the line, and so the secret."""
    environ = in_file(tmp_path, text)
    with pytest.raises(BadCredentials) as caught:
        find_keys("default", environ)
    assert environ["AWS_SHARED_CREDENTIALS_FILE"] in str(caught.value)
    assert "hidden" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_keys_do_not_show_themselves(tmp_path: Path) -> None:
    """Neither repr nor str has anything of the secret."""
    keys = find_keys("backup", in_file(tmp_path))
    assert "backup" not in f"{keys!r} {keys}"


@pytest.mark.parametrize(
    "name", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"]
)
@pytest.mark.parametrize("value", ["…", "two words", "line\n"])
def test_what_cannot_be_a_key(name: str, value: str) -> None:
    """Said at the start, by its name and place alone; it would break each job in the middle."""
    with pytest.raises(BadCredentials, match="in the environment is none") as caught:
        find_keys("default", ENVIRONMENT | {name: value})
    assert value not in str(caught.value)
