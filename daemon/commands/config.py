"""`botod config check FILE` and `botod config show`: what is wrong in a file, and what holds."""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from botod.daemon.config import Config, ConfigError, load
from botod.daemon.config_text import tables_of, toml_of
from botod.daemon.reloading import changed, needs_restart

EXIT_CONFIG = 78

EPILOG = """\
exit status: 0 good, 2 wrong usage, 78 a mistake in the configuration, as for `botod run`
"""


def main(argv: Sequence[str]) -> int:
    arguments = parser().parse_args(argv)
    if arguments.command == "check":
        return _check(arguments.file, arguments.running, as_json=arguments.json)
    try:
        config = load(arguments.config) if arguments.config else Config()
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_CONFIG
    lines = [json.dumps(tables_of(config), indent=2)] if arguments.json else toml_of(config)
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


def parser() -> argparse.ArgumentParser:
    """What may be said."""
    said = argparse.ArgumentParser(prog="botod config", description="Look at the configuration.")
    commands = said.add_subparsers(dest="command", required=True, metavar="COMMAND")
    check = commands.add_parser(
        "check",
        help="name every mistake in a file",
        description="Name every mistake in a configuration, and in the rules beside it.",
        epilog=EPILOG,
    )
    check.add_argument("file", metavar="FILE", help="settings in TOML")
    check.add_argument(
        "--running", metavar="OLD", help="say what differs from this one, and what needs a restart"
    )
    show = commands.add_parser(
        "show",
        help="print what holds",
        description="Print what holds, as TOML; passwords of proxies are hidden.",
        epilog=EPILOG,
    )
    which = show.add_mutually_exclusive_group()
    which.add_argument("--config", metavar="FILE", help="settings in TOML; default: all defaults")
    which.add_argument("--defaults", action="store_true", help="what holds without a file")
    for command in (check, show):
        command.add_argument("--json", action="store_true", help="as JSON, for a program")
    return said


def _check(file: str, running: str | None, *, as_json: bool) -> int:
    mistakes: list[str] = []
    lines: list[str] = []
    told: dict[str, Any] = {"file": file, "good": True, "mistakes": mistakes}
    try:
        config = load(file)
        lines.append(f"{file}: good: {len(config.profiles)} profiles, {len(config.rules)} rules")
        if running is not None:
            lines += _differences(load(running), config, told)
    except ConfigError as error:
        mistakes += str(error).splitlines()
        told["good"] = False
    if as_json:
        lines = [json.dumps(told, indent=2)]
    stream = sys.stderr if mistakes and not as_json else sys.stdout
    stream.write("\n".join(lines if as_json or not mistakes else mistakes) + "\n")
    return EXIT_CONFIG if mistakes else 0


def _differences(old: Config, new: Config, told: dict[str, Any]) -> Iterator[str]:
    """What differs, as lines; noted in what is told as JSON, too."""
    told["restart"] = needs_restart(old, new)
    told["reload"] = [name for name in changed(old, new) if name not in told["restart"]]
    for what in ("reload", "restart"):
        if told[what]:
            yield f"after a {what}: {', '.join(told[what])}"
    if not told["reload"] and not told["restart"]:
        yield "nothing differs"
