"""The manual: botod(1), botod.toml(5) and botod(8), from the commands and the settings.

python -m botod.daemon.manual_pages botod.1 > docs/man/botod.1
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields

from botod.daemon.command_pages import DOERS, Option, Page, pages
from botod.daemon.control import BOTOD_VERSION
from botod.daemon.rule_keys import KEYS
from botod.daemon.setting_pages import (
    PAGE_SECTIONS,
    RULES,
    SECTION_WORDS,
    default_of,
    words_of,
)
from botod.daemon.toml_text import value_text

ENVIRONMENT = {
    "BOTOD_SOCKET": "Path of the daemon's socket, for commands as for the daemon.",
    "XDG_RUNTIME_DIR": (
        "Where the socket is looked for if there is none in /run/botod and BOTOD_SOCKET is not set."
    ),
}

DAEMON_ENVIRONMENT = {
    "BOTOD_WORKER": "K/N: it is one of N workers that others have started, the Kth from 0.",
    "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN": "Keys of the profile default.",
    "AWS_CONFIG_FILE, AWS_SHARED_CREDENTIALS_FILE": "Other places of AWS's shared files.",
    "CREDENTIALS_DIRECTORY": (
        "Set by systemd for LoadCredential=: aws-config and aws-credentials in it are AWS's shared "
        "files."
    ),
}

FILES = {
    "/run/botod/botod.sock": "The socket.",
    "/etc/botod/botod.toml": "The configuration, where units and packages have it.",
    "/etc/botod/botod.d/*.toml": "Rules of policy, a file an application.",
}

SIGNALS = {
    "SIGTERM, SIGINT": (
        "No new connections and jobs; what runs may finish within drain_timeout_s, then the daemon "
        "ends. A second one ends it at once."
    ),
    "SIGHUP": (
        "The configuration is read again. One with a mistake is refused whole; the log says what "
        "needs a restart."
    ),
    "SIGUSR1": "The files of the log and of the audit record are opened anew, after a rename.",
    "SIGUSR2": "Where every greenlet and task stands is logged.",
}


def user_lines() -> Iterator[str]:
    """botod(1): what everybody may call."""
    yield from _head("BOTOD", 1, "have the one process on this host that talks to AWS do it")
    yield ".SH SYNOPSIS"
    mine = [page for page in pages() if page.name in DOERS]
    for page in mine:
        yield from _usage(page)
    yield ".SH DESCRIPTION"
    yield from _text(
        "Local processes hand jobs to a daemon over a Unix socket: operations of AWS's, by AWS's "
        "names. The daemon holds the connections, the credentials, the retries and the limits."
    )
    yield ".SH COMMANDS"
    for page in mine:
        yield from _command(page)
    yield from _named("ENVIRONMENT", ENVIRONMENT)
    yield from _named("FILES", FILES)
    yield from _see_also(("botod.toml", 5), ("botod", 8))


def daemon_lines() -> Iterator[str]:
    """botod(8): for who runs the daemon."""
    yield from _head("BOTOD", 8, "the one process on this host that talks to AWS")
    yield ".SH SYNOPSIS"
    mine = [page for page in pages() if page.name not in DOERS]
    for page in mine:
        yield from _usage(page)
    yield ".SH DESCRIPTION"
    yield from _text(
        "The daemon runs in the foreground, for systemd, supervisor or a terminal, and logs to "
        "standard error. Policy decides who is served: without a rule only its own user, not even "
        "root."
    )
    yield ".SH COMMANDS"
    for page in mine:
        yield from _command(page)
    yield from _named("SIGNALS", SIGNALS)
    yield ".SH EXIT STATUS"
    yield from _text(
        "0 after an ordered end, 1 if the socket cannot be had, 2 for wrong usage, 78 for a "
        "mistake in the configuration, which another start does not mend."
    )
    yield from _named("ENVIRONMENT", ENVIRONMENT | DAEMON_ENVIRONMENT)
    yield from _named("FILES", FILES)
    yield from _see_also(("botod", 1), ("botod.toml", 5), ("systemd.exec", 5))


def settings_lines() -> Iterator[str]:
    """botod.toml(5): every setting."""
    yield from _head("BOTOD.TOML", 5, "configuration of botod")
    yield ".SH DESCRIPTION"
    yield from _text(
        "A file in TOML. Each setting stands in its section, at its default unless it is set. "
        "Numbers in brackets are the smallest and the largest that are allowed. A mistake keeps "
        'the daemon from starting; "botod config check FILE" names all of them.'
    )
    for name, kind in PAGE_SECTIONS.items():
        yield f".SH {_escaped(f'[{name}]'.replace('default', 'NAME'))}"
        yield from _text(SECTION_WORDS[name])
        for setting in fields(kind):
            default = value_text(default_of(setting))
            yield from _item(f"{setting.name} = {default}", words_of(setting))
    yield f".SH {_escaped('[[policy]]')}"
    yield from _text("Who may have what done. Keys of a rule:")
    for key, words in KEYS.items():
        yield from _item(key, f"{words[0].upper()}{words[1:]}.")
    yield ".SH EXAMPLE"
    yield from _verbatim("\n".join(line[2:] for line in RULES.splitlines()))
    yield from _see_also(("botod", 8))


MANUALS: Mapping[str, Callable[[], Iterator[str]]] = {
    "botod.1": user_lines,
    "botod.toml.5": settings_lines,
    "botod.8": daemon_lines,
}


def page(name: str) -> str:
    """One manual, whole; what begins a section needs no paragraph of its own."""
    lines: list[str] = []
    for line in MANUALS[name]():
        if line != ".PP" or not lines[-1].startswith((".SH", ".SS")):
            lines.append(line)
    return "\n".join(lines)


def _head(name: str, section: int, words: str) -> Iterator[str]:
    yield r".\" Made from the commands and the settings by `make docs`."
    yield f'.TH {name} {section} "" "botod {BOTOD_VERSION}" "botod"'
    yield ".SH NAME"
    yield rf"{_escaped(name.lower())} \- {_escaped(words)}"


def _usage(page: Page) -> Iterator[str]:
    for line in page.usage.splitlines():
        yield ".PP"
        command = f"botod {page.name}"
        yield rf"\fB{_escaped(command)}\fR{_escaped(line.removeprefix(command))}"


def _command(page: Page) -> Iterator[str]:
    yield f".SS {_escaped(f'botod {page.name}')}"
    yield from _paragraphs(page.description or f"{page.words}.")
    for option in page.options:
        if "--help" not in option.flags:
            yield from _item(_flags(option), f"{option.words[0].upper()}{option.words[1:]}.")
    yield from _paragraphs(page.epilog)


def _flags(option: Option) -> str:
    value = f" {option.metavar}" if option.metavar else ""
    return ", ".join(option.flags) + value


def _paragraphs(words: str) -> Iterator[str]:
    """Text as a help has it: what is indented stays as it is."""
    for block in filter(None, words.strip("\n").split("\n\n")):
        if any(line.startswith("  ") for line in block.splitlines()):
            yield from _verbatim(block)
        else:
            yield from _text(block)


def _text(words: str) -> Iterator[str]:
    yield ".PP"
    yield _escaped(" ".join(words.split()))


def _verbatim(text: str) -> Iterator[str]:
    yield ".PP"
    yield ".nf"
    yield from map(_escaped, text.splitlines())
    yield ".fi"


def _named(title: str, items: Mapping[str, str]) -> Iterator[str]:
    yield f".SH {title}"
    for name, words in items.items():
        yield from _item(name, words)


def _item(name: str, words: str) -> Iterator[str]:
    yield ".TP"
    yield rf"\fB{_escaped(name)}\fR"
    yield _escaped(words)


def _see_also(*names: tuple[str, int]) -> Iterator[str]:
    yield ".SH SEE ALSO"
    yield ", ".join(rf"\fB{_escaped(name)}\fR({section})" for name, section in names)
    yield ""


def _escaped(text: str) -> str:
    """Text that roff takes for text, whatever stands in it."""
    escaped = text.replace("\\", r"\e").replace("-", r"\-").replace("`", r"\(ga")
    escaped = "".join(char if char.isascii() else rf"\[u{ord(char):04X}]" for char in escaped)
    return rf"\&{escaped}" if escaped.startswith((".", "'")) else escaped


if __name__ == "__main__":
    sys.stdout.write(page(sys.argv[1]))
