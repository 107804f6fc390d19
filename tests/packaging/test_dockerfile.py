"""The Dockerfile, as far as it can be read; test_installing.py does what it says."""

import re
from pathlib import Path

from botod.daemon.cli import COMMANDS

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "packaging" / "Dockerfile").read_text(encoding="utf-8")
STEPS = [
    line.split(maxsplit=1)
    for line in re.sub(r"\\\n\s*", "", TEXT).splitlines()
    if line and not line.startswith("#")
]


def arguments(name: str) -> list[str]:
    """What stands after each instruction of this name."""
    return [words for instruction, words in STEPS if instruction == name]


def test_every_instruction_is_known() -> None:
    """And nothing is left of a line that was continued."""
    known = {"FROM", "COPY", "RUN", "ENV", "USER", "VOLUME", "STOPSIGNAL", "HEALTHCHECK"}
    assert {name for name, _words in STEPS} <= known | {"ENTRYPOINT", "CMD"}


def test_it_runs_as_a_user() -> None:
    """One with a number that does not change, who owns the socket's directory."""
    (user,) = arguments("USER")
    assert re.search(rf"useradd --system --uid \d+ .* {user} ", TEXT.replace("\\\n", ""))
    assert f"install -d -o {user} -g {user} /run/botod" in TEXT
    last = [name for name, _words in STEPS].index("USER")
    assert not [name for name, _words in STEPS[last:] if name in ("RUN", "COPY")]


def test_it_is_small() -> None:
    """What builds stays behind: of the first stage only the environment is taken."""
    defaults = "etc/botod.toml /etc/botod/botod.toml"
    first, second = arguments("FROM")
    assert first == f"{second} AS build"
    assert "-slim" in second
    assert arguments("COPY") == [". /src", "--from=build /opt/botod /opt/botod", defaults]
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert {".git", ".venv", "**/build"} <= set(ignored)


def test_it_ends_as_it_should() -> None:
    """The daemon is the first process, gets SIGTERM, and is asked whether it is well."""
    assert arguments("ENTRYPOINT") == ['["botod"]']
    assert '"run"' in arguments("CMD")[0]
    assert "run" in COMMANDS
    assert arguments("STOPSIGNAL") == ["SIGTERM"]
    assert 'CMD ["botod", "call", "botod.ping"]' in arguments("HEALTHCHECK")[0]
