"""`botod policy check`: which rule decides, without a daemon."""

import json
import os
import pwd
from pathlib import Path

import pytest

from botod.daemon.commands.policy import main

ME = pwd.getpwuid(os.geteuid()).pw_name

CONFIG = """
[[policy]]
uid = 70001
allow = ["s3.get_object on logs/2026/*"]
deny = ["s3.get_object on logs/2026/private/*"]
"""

DROP_IN = """[[policy]]
gid = 70002
unit = "web.service"
allow = ["sqs.send_message on orders"]
profiles = ["shop"]
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Rules, and a file of them beside."""
    file = tmp_path / "botod.toml"
    file.write_text(CONFIG + "[profile.shop]\n")
    (tmp_path / "botod.d").mkdir(mode=0o755)
    drop_in = tmp_path / "botod.d" / "shop.toml"
    drop_in.write_text(DROP_IN)
    drop_in.chmod(0o644)
    return file


def check(config: Path, *words: str) -> int:
    """Ask; the exit status."""
    return main(["check", "--config", str(config), *words])


def test_the_rule_that_allows(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With its file, its line and the words that do it."""
    words = ("--user", "70001", "s3.get_object", "Bucket=logs", "Key=2026/x")
    assert check(config, *words) == 0
    assert capsys.readouterr().out == (
        "allowed: s3.get_object on logs/2026/x\n"
        f'by {config}: line 2: [[policy]] 1: allow "s3.get_object on logs/2026/*"\n'
    )


def test_the_rule_that_denies(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The exit status tells it, too."""
    words = ("--user", "70001", "s3.get_object", "Bucket=logs", "Key=2026/private/x")
    assert check(config, *words) == 1
    out = capsys.readouterr().out
    assert out.startswith("refused: s3.get_object on logs/2026/private/x\nby ")
    assert out.endswith('deny "s3.get_object on logs/2026/private/*"\n')


def test_groups_units_and_profiles(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All of a rule has to hold; the rule may stand beside the configuration."""
    send = ("sqs.send_message", "QueueUrl=http://h/1/orders")
    web = ("--user", "70009", "--group", "70002", "--unit", "web.service")
    assert check(config, *web, "--profile", "shop", *send) == 0
    assert f"by {config.parent}/botod.d/shop.toml: line 1: " in capsys.readouterr().out
    assert check(config, *web, *send) == 1
    assert check(config, "--user", "70009", "--group", "70002", "--profile", "shop", *send) == 1
    path = ("--cgroup", "/system.slice/web.service/1")
    group = ("--user", "70009", "--group", "70002", "--profile", "shop")
    assert check(config, *group, *path, *send) == 0
    assert capsys.readouterr().out.count("by the default: no rule is about it") == 2


def test_what_holds_without_a_rule(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """For the daemon's user, whom the daemon serves, and everybody else."""
    assert main(["check", "--user", ME, "s3.list_buckets"]) == 0
    assert main(["check", "--user", ME, "--daemon-user", "70001", "s3.list_buckets"]) == 1
    assert check(config, "--user", "70001", "botod.ping") == 0
    assert check(config, "--user", "70001", "botod.status") == 1
    out = capsys.readouterr().out
    assert 'by the default: allow "*"' in out
    assert "by the default: whoever may have some job done" in out


def test_params_that_are_no_text(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As JSON; what else the operation needs may be left out."""
    objects = 'Delete:={"Objects": [{"Key": "2026/a"}, {"Key": "b"}]}'
    assert check(config, "--user", "70001", "s3.delete_objects", "Bucket=logs", objects) == 1
    assert check(config, "--user", "70001", "s3.get_object", "Bucket=logs") == 1
    assert "refused: s3.get_object\nby" in capsys.readouterr().out


def test_operations_without_rows(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What they touch, and those that have to be named, to the daemon's own user, too."""
    allow = '["dynamodb.get_item on orders", "sts.*"]'
    config.write_text(f"[profile.shop]\n[[policy]]\nuid = 70001\nallow = {allow}\n")
    one = ("--user", "70001")
    assert check(config, *one, "dynamodb.get_item", "TableName=orders") == 0
    arn = "arn:aws:dynamodb:eu-central-1:123456789012:table/secrets"
    assert check(config, *one, "dynamodb.get_item", f"TableName={arn}") == 1
    assert "refused: dynamodb.get_item on secrets" in capsys.readouterr().out
    assert check(config, *one, "sts.get_caller_identity") == 0
    assert check(config, *one, "sts.assume_role") == 1
    assert check(config, "--user", str(os.geteuid()), "sts.assume_role") == 0


@pytest.mark.parametrize(
    ("words", "mistake"),
    [
        (("--user", "no-such", "botod.ping"), "there is no user 'no-such'"),
        (("--user", "1", "--group", "no-such", "botod.ping"), "there is no group 'no-such'"),
        (
            ("--user", "1", "s3.get_objekt"),
            "unknown method 's3.get_objekt'; did you mean get_object",
        ),
        (("--user", "1", "s3.get_object", "Bucket"), "'Bucket' is not Name=text or Name:=json"),
        (("--user", "1", "s3.get_object", "Key:=x"), "Key: not JSON: "),
        (("--user", "1", "s3.get_object", "Kee=x"), "Kee is unknown; there are: "),
    ],
)
def test_wrong_usage(
    config: Path, words: tuple[str, ...], mistake: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Status 2 and a line that says what is wrong."""
    assert check(config, *words) == 2
    assert capsys.readouterr().err.startswith(f"botod: {mistake}")


def test_a_configuration_with_mistakes(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same words as from `botod run`, and the same status."""
    config.write_text('[[policy]]\nuid = 1\nallow = ["s3.x"]\n[profile.shop]\n')
    assert check(config, "--user", "1", "botod.ping") == 78
    assert "line 1: [[policy]] 1: allow 's3.x': there is no operation" in capsys.readouterr().err


def test_as_json(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The decision, and the rule and line that made it, if there is one."""
    words = ("--user", "70001", "--json", "s3.get_object", "Bucket=logs")
    assert check(config, *words, "Key=2026/x") == 0
    assert json.loads(capsys.readouterr().out) == {
        "allowed": True,
        "operation": "s3.get_object",
        "resource": "logs/2026/x",
        "rule": f"{config}: line 2: [[policy]] 1",
        "line": "s3.get_object on logs/2026/*",
        "role": None,
    }
    assert check(config, *words, "Key=2025/x") == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["allowed"], told["resource"], told["rule"], told["line"]) == (
        False, "logs/2025/x", None, None,
    )  # fmt: skip
