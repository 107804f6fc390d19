"""The manual is what commands and settings say, and is good roff."""

import re
import subprocess
from dataclasses import fields
from pathlib import Path

import pytest

from botod.daemon.command_pages import pages
from botod.daemon.manual_pages import MANUALS, _escaped, page
from botod.daemon.setting_pages import PAGE_SECTIONS
from support.daemons import BOUND_S
from support.tools import tool

FOLDER = Path(__file__).parents[2] / "docs" / "man"


def shown(name: str) -> str:
    """A manual as a person reads it, on very long lines."""
    done = subprocess.run(
        [tool("groff"), "-man", "-Tutf8", "-P-c", "-rLL=10000n", str(FOLDER / name)],
        capture_output=True,
        text=True,
        timeout=BOUND_S,
        check=True,
    )
    once = re.sub(".\b", "", done.stdout)  # bold is one letter over another
    return " ".join(once.replace("\N{HYPHEN}", "-").split())


@pytest.mark.parametrize("name", MANUALS)
def test_the_pages_are_what_the_commands_say(name: str) -> None:
    """Else: `make docs`."""
    assert (FOLDER / name).read_text(encoding="utf-8") == page(name)


@pytest.mark.long
@pytest.mark.parametrize("name", MANUALS)
def test_no_formatter_complains(name: str) -> None:
    """groff says nothing, mandoc only that there is no date, which would change by itself."""
    file = str(FOLDER / name)
    for command in ([tool("groff"), "-man", "-ww", "-z"], [tool("mandoc"), "-Tlint", "-Wwarning"]):
        done = subprocess.run(
            [*command, file], capture_output=True, text=True, timeout=BOUND_S, check=False
        )
        said = (done.stdout + done.stderr).splitlines()
        assert [line for line in said if "missing date" not in line] == []


@pytest.mark.long
def test_every_option_is_read() -> None:
    """Of each command, in one of the two; nothing is lost in roff."""
    both = shown("botod.1") + shown("botod.8")
    for one in pages():
        assert f"botod {one.name}" in both
        for option in one.options:
            assert "--help" in option.flags or all(flag in both for flag in option.flags), option
    assert '{"$base64": "…"}' in both


@pytest.mark.long
def test_every_setting_is_read() -> None:
    """With its default."""
    text = shown("botod.toml.5")
    for kind in PAGE_SECTIONS.values():
        assert [one.name for one in fields(kind) if f"{one.name} = " not in text] == []
    assert "http://[user:password@]host:port" in text


def test_what_is_special_to_roff() -> None:
    """It is text all the same."""
    assert _escaped(".PP") == r"\&.PP"
    assert _escaped("'x") == r"\&'x"
    assert _escaped(r"a\b-c`…") == r"a\eb\-c\(ga\[u2026]"
