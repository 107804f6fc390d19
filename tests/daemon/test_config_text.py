"""The configuration that holds, written down again."""

from pathlib import Path

import pytest

from botod.daemon.config import Config, load
from botod.daemon.config_text import tables_of, toml_of, without_password
from botod.daemon.rules import Line, Place, Rule, Who

FULL = """
[daemon]
socket = "/tmp/a \\"b\\".sock"
job_timeout_s = 7
[limits]
peers = 9
[profile.default]
endpoints = { s3 = "http://127.0.0.1:1" }
proxy = "http://10.0.0.1:3128"
[profile."far away"]
region = "eu-central-1"
warm_sockets.sqs = 2
[[policy]]
user = "*"
unit = "web.service"
allow = ["s3.get_object on logs/*", "sqs.*"]
deny = ["s3.get_object on logs/private"]
profiles = ["far away"]
role_arn = "arn:aws:iam::123456789012:role/logs"
role_tags = { caller = "{user}" }
role_duration_s = 900
[[policy]]
uid = 0
deny = ["sqs.*"]
[[policy]]
user = "*"
allow = ["botod.status"]
"""


def written(config: Config, tmp_path: Path) -> Config:
    """What is read of what is written."""
    again = tmp_path / "again.toml"
    again.write_text("\n".join(toml_of(config)), encoding="utf-8")
    return load(str(again))


def test_what_is_written_says_the_same(tmp_path: Path) -> None:
    """Settings, profiles and rules; and so do all defaults."""
    path = tmp_path / "botod.toml"
    path.write_text(FULL, encoding="utf-8")
    config = load(str(path))
    assert written(config, tmp_path) == config
    assert f"# {path}: line {config.rules[0].place.line}: [[policy]] 1" in list(toml_of(config))
    assert written(Config(), tmp_path) == Config()


def test_a_file_s_name_cannot_add_a_line() -> None:
    """Whoever may name a drop-in makes no setting by that."""
    place = Place("/etc/x\n[daemon]\n.toml", 1, 1)
    lines = list(toml_of(Config(rules=(Rule(Who(), allow=(Line("sqs.*"),), place=place),))))
    assert sum(line == "[daemon]" for line in "\n".join(lines).split("\n")) == 1


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("", ""),
        ("http://10.0.0.1:3128", "http://10.0.0.1:3128"),
        ("http://ann@10.0.0.1:3128", "http://ann@10.0.0.1:3128"),
        ("http://ann:hunter2@10.0.0.1:3128", "http://ann:***@10.0.0.1:3128"),
        ("http://ann:%40:x@10.0.0.1:3128", "http://ann:***@10.0.0.1:3128"),
        ("http://ann:@10.0.0.1:3128", "http://ann:***@10.0.0.1:3128"),
    ],
)
def test_a_password_is_not_shown(url: str, shown: str, tmp_path: Path) -> None:
    """All else of a proxy is, in every form."""
    assert without_password(url) == shown
    path = tmp_path / "botod.toml"
    path.write_text(f'[profile.default]\nproxy = "{url}"\n', encoding="utf-8")
    config = load(str(path))
    assert tables_of(config)["profile"]["default"]["proxy"] == shown
    assert f'proxy = "{shown}"' in list(toml_of(config))
