"""What may be said to each command, from the commands' own parsers, for manuals and completion."""

import argparse
import importlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from botod.daemon.cli import COMMANDS
from botod.daemon.commands.call import HELP as CALL_HELP
from botod.daemon.rules import METHODS

DOERS = ("call", "cp", "status", "top", "services", "demo")
"""Commands for everybody, botod(1); all others are for who runs the daemon, botod(8)."""

_OPTION = re.compile(r"^  (-.*?)  +(.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Option:
    """One option. metavar: of its value; empty: it takes none."""

    flags: tuple[str, ...]
    metavar: str
    words: str


@dataclass(frozen=True)
class Page:
    """One command, or one of its subcommands. name: all its words but the first, botod.

    usage: without the word usage. places: metavars of what stands there without an option; choices:
    what that may be, if it may be a few words only.
    """

    name: str
    words: str
    usage: str
    description: str
    options: tuple[Option, ...]
    places: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    epilog: str = ""


def pages() -> list[Page]:
    """Each command, and each subcommand."""
    return [page for name, words in COMMANDS.items() for page in _pages(name, words)]


def methods() -> list[str]:
    """What `botod call` may be asked for."""
    return sorted(METHODS)


def _pages(name: str, words: str) -> Iterator[Page]:
    if name == "call":
        yield _call(words)
        return
    module = importlib.import_module(f"botod.daemon.commands.{name.replace('-', '_')}")
    parser: argparse.ArgumentParser = module.parser()
    subparsers = [
        action
        for action in parser._actions  # noqa: SLF001 - argparse tells it in no other way
        if isinstance(action, argparse._SubParsersAction)  # noqa: SLF001
    ]
    if not subparsers:
        yield _page(name, words, parser)
    for group in subparsers:
        told = {one.dest: one.help or "" for one in group._choices_actions}  # noqa: SLF001
        for sub, subparser in group.choices.items():
            yield _page(f"{name} {sub}", told[sub], subparser)


def _page(name: str, words: str, parser: argparse.ArgumentParser) -> Page:
    actions: Sequence[argparse.Action] = parser._actions  # noqa: SLF001
    usage = parser.format_usage().removeprefix("usage: ")
    return Page(
        name,
        words,
        " ".join(usage.split()),
        parser.description or "",
        tuple(_option(action) for action in actions if action.option_strings),
        tuple(
            str(action.metavar or action.dest) for action in actions if not action.option_strings
        ),
        tuple(
            str(choice)
            for action in actions
            if not action.option_strings
            for choice in action.choices or ()
        ),
        parser.epilog or "",
    )


def _option(action: argparse.Action) -> Option:
    takes_none = action.nargs == 0
    return Option(
        tuple(action.option_strings),
        "" if takes_none else str(action.metavar or action.dest.upper()),
        action.help or "",
    )


def _call(words: str) -> Page:
    """That of `botod call`, which has no parser of argparse's, from its help."""
    head, _options, rest = CALL_HELP.partition("\noptions:\n")
    options, _blank, epilog = rest.partition("\n\n")
    usage, _blank, description = head.partition("\n\n")
    lines = usage.removeprefix("usage: ").split("\n       ")
    return Page(
        "call",
        words,
        "\n".join(" ".join(line.split()) for line in _unfolded(lines)),
        description,
        tuple(_said(*found) for found in _OPTION.findall(options)),
        ("METHOD", "Name=value"),
        epilog=epilog,
    )


def _unfolded(lines: Sequence[str]) -> Iterator[str]:
    """Lines of a usage, of which those that do not begin with the command go on."""
    whole = ""
    for line in lines:
        if line.startswith("botod") and whole:
            yield whole
            whole = ""
        whole += line
    yield whole


def _said(flags: str, words: str) -> Option:
    """An option as a help has it: `-o, --output FILE`."""
    parts = [part.split() for part in flags.split(", ")]
    metavar = parts[-1][1] if len(parts[-1]) > 1 else ""
    return Option(tuple(part[0] for part in parts), metavar, words)
