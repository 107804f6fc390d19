"""Blocks of commands in the documents: what a test runs, and what says why none does."""

import re
from dataclasses import dataclass
from pathlib import Path

BLOCK = re.compile(r"^```(sh|console)\n(.*?)^```", re.MULTILINE | re.DOTALL)
MARK = re.compile(r"_(Run by|Not run by a test:)\s(.*)\._\Z", re.DOTALL)
"""The paragraph before a block, in italics: a reader sees it, too."""


@dataclass(frozen=True)
class Block:
    """Commands as they stand in a page; in a console with a prompt, among what they print.

    mark: which test runs them, or why none does; empty: tests/docs/test_commands.py does.
    """

    text: str
    is_console: bool = False
    is_run_elsewhere: bool = False
    mark: str = ""

    @property
    def commands(self) -> list[str]:
        """Its commands, one each: a line that goes on is one."""
        lines = self.text.replace("\\\n", " ").splitlines()
        if self.is_console:
            lines = [line[2:] for line in lines if line.startswith("$ ")]
        return [line for line in lines if line and not line.startswith("#")]


def blocks(page: Path) -> list[Block]:
    """All blocks of a shell's commands in a page, in order."""
    text, found, last = page.read_text(encoding="utf-8"), [], 0
    for block in BLOCK.finditer(text):
        before = text[last : block.start()].strip().rpartition("\n\n")[2]
        mark = MARK.search(before)
        last = block.end()
        words = "" if mark is None else " ".join(mark[2].split())
        is_run = mark is not None and mark[1] == "Run by"
        found.append(Block(block[2], block[1] == "console", is_run, words))
    return found
