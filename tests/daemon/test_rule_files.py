"""Where rules stand, and which files are believed."""

import os
from pathlib import Path

import pytest

from botod.daemon.config import Config, ConfigError, load
from botod.daemon.rule_files import lines_of_rules
from botod.daemon.rules import Line

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")

RULE = '[[policy]]\nuid = {uid}\nallow = ["{line}"]\n'


def rule(uid: int, line: str = "s3.* on a") -> str:
    """A rule of three lines."""
    return RULE.format(uid=uid, line=line)


class Files:
    """A configuration and what stands beside it."""

    def __init__(self, folder: Path) -> None:
        self.main = folder / "botod.toml"
        self.drop_ins = folder / "botod.d"

    def load(self) -> Config:
        return load(str(self.main))

    def drop_in(self, name: str, text: str) -> Path:
        self.drop_ins.mkdir(mode=0o755, exist_ok=True)
        file = self.drop_ins / name
        file.write_text(text)
        file.chmod(0o644)
        return file

    def mistakes(self) -> list[str]:
        """Without the folder's name."""
        with pytest.raises(ConfigError) as caught:
            self.load()
        return str(caught.value).replace(f"{self.main.parent}/", "").split("\n")


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """A configuration without a setting."""
    found = Files(tmp_path)
    found.main.write_text("")
    return found


def test_rules_of_the_configuration(files: Files) -> None:
    """In their order, each with its line."""
    files.main.write_text(f"# policy\n{rule(1)}\n{rule(2)}[pool]\nmax_waiting = 1\n")
    config = files.load()
    assert [one.who.uid for one in config.rules] == [1, 2]
    assert [one.place.line for one in config.rules] == [2, 6]
    assert config.rules[0].allow == (Line("s3.*", "a"),)
    assert config.pool.max_waiting == 1


def test_rules_beside_it_come_after_by_name(files: Files) -> None:
    """Whatever is no TOML, or hidden, is passed over."""
    files.main.write_text(rule(9))
    files.drop_in("20-b.toml", rule(2) + rule(3))
    files.drop_in("10-a.toml", rule(1))
    files.drop_in("10-a.toml.dpkg-old", "nonsense")
    files.drop_in(".10-a.toml", "nonsense")
    rules = files.load().rules
    assert [one.who.uid for one in rules] == [9, 1, 2, 3]
    assert str(rules[3].place) == f"{files.drop_ins}/20-b.toml: line 4: [[policy]] 2"


def test_a_drop_in_may_name_the_configuration_s_profiles(files: Files) -> None:
    """And no others."""
    files.main.write_text('[profile.b]\nregion = "eu-central-1"\n')
    files.drop_in("a.toml", rule(1) + 'profiles = ["b"]\n')
    assert files.load().rules[0].profiles == frozenset({"b"})
    files.main.write_text("")
    assert files.mistakes() == [
        "botod.d/a.toml: line 1: [[policy]] 1: profiles: there is no [profile.b]"
    ]


def test_mistakes_are_named_with_file_and_line(files: Files) -> None:
    """All of them, in settings and rules, there and beside."""
    files.main.write_text(f"{rule(1, 's3.x')}[pool]\nnone = 1\n")
    files.drop_in("a.toml", "\n\n" + rule(1, "sqs.* on a/b"))
    files.drop_in("b.toml", "[pool]\nmax_waiting = 1\n")
    files.drop_in("c.toml", "policy = 3\n")
    files.drop_in("d.toml", "[[policy]\n")
    found = files.mistakes()
    assert found[0].startswith("botod.toml: [pool] none: unknown setting")
    assert found[1:] == [
        "botod.toml: line 1: [[policy]] 1: allow 's3.x': there is no operation 's3.x'",
        (
            "botod.d/a.toml: line 3: [[policy]] 1: allow 'sqs.* on a/b': "
            "sqs.* is never on 'a/b', but on a queue's name or no name that its params tell"
        ),
        "botod.d/b.toml: [pool]: only [[policy]] may stand here",
        "botod.d/c.toml: policy: write [[policy]], once for each rule",
        found[5],
    ]
    assert found[5].startswith("botod.d/d.toml: not TOML: ")


@pytest.mark.parametrize("mode", [0o664, 0o646, 0o777])
def test_a_file_that_others_may_write_makes_no_rules(files: Files, mode: int) -> None:
    """Its group or anybody."""
    files.drop_in("a.toml", rule(1)).chmod(mode)
    assert files.mistakes() == ["botod.d/a.toml: others than its owner may write it"]


def test_a_folder_that_others_may_write_makes_none(files: Files) -> None:
    """They could put any file there."""
    files.drop_in("a.toml", rule(1))
    files.drop_ins.chmod(0o777)
    assert files.mistakes() == ["botod.d: others than its owner may write it"]


@needs_root
def test_a_stranger_s_file_makes_none(files: Files) -> None:
    """Root's, ours and those of whoever wrote the configuration do."""
    file = files.drop_in("a.toml", rule(1))
    os.chown(file, 12345, -1)
    assert files.mistakes() == ["botod.d/a.toml: belongs to user 12345, who may not make rules"]
    os.chown(files.main, 12345, -1)
    assert len(files.load().rules) == 1


def test_what_cannot_be_read_is_a_mistake(files: Files) -> None:
    """A dead link, a folder, a pipe that nobody writes to."""
    files.drop_in("d.toml", rule(1))
    (files.drop_ins / "a.toml").symlink_to("nowhere")
    (files.drop_ins / "b.toml").mkdir()
    os.mkfifo(files.drop_ins / "c.toml")
    assert files.mistakes() == [
        "botod.d/a.toml: No such file or directory",
        "botod.d/b.toml: is no regular file",
        "botod.d/c.toml: is no regular file",
    ]


def test_a_folder_that_is_none(files: Files) -> None:
    """The system's own words."""
    files.drop_ins.write_text("")
    assert files.mistakes() == ["botod.d: Not a directory"]


def test_rules_that_say_the_same_to_the_same(files: Files) -> None:
    """The second can never match; a part of it may be said twice, by two packages."""
    files.main.write_text(rule(1))
    files.drop_in("a.toml", rule(1))
    assert files.mistakes() == [
        (
            f"botod.d/a.toml: line 1: [[policy]] 1: can never match: {'botod.toml'}: line 1: "
            "[[policy]] 1 says the same to the same"
        )
    ]
    files.drop_in("a.toml", rule(1, 's3.* on a", "s3.* on b'))
    assert len(files.load().rules) == 2
    files.drop_in("a.toml", rule(2))
    assert len(files.load().rules) == 2


def test_rules_that_contradict(files: Files) -> None:
    """The same to the same, once allowed and once denied, in two rules or in one."""
    files.main.write_text(rule(1))
    files.drop_in("a.toml", rule(1).replace("allow", "deny"))
    assert files.mistakes() == [
        (
            'botod.d/a.toml: line 1: [[policy]] 1: "s3.* on a" contradicts '
            "botod.toml: line 1: [[policy]] 1"
        )
    ]
    files.drop_in("a.toml", rule(2) + 'deny = ["s3.* on a"]\n')
    assert files.mistakes() == [
        (
            'botod.d/a.toml: line 1: [[policy]] 1: "s3.* on a" contradicts '
            "botod.d/a.toml: line 1: [[policy]] 1"
        )
    ]
    files.drop_in("a.toml", rule(1).replace("allow", "deny").replace("on a", "on b"))
    assert len(files.load().rules) == 2


@pytest.mark.parametrize(
    ("text", "number", "lines"),
    [
        ("[[policy]]\n[[ policy ]]\n  [['policy']]\n[[policys]]", 3, [1, 2, 3]),
        ('a = """\n[[policy]]\n"""\n[[policy]]', 1, [0]),
        ("policy = [{}, {}]", 2, [0, 0]),
        ("", 0, []),
    ],
)
def test_lines(text: str, number: int, lines: list[int]) -> None:
    """TOML's readers do not tell them; where a guess could be wrong there is none."""
    assert lines_of_rules(text, number) == lines
