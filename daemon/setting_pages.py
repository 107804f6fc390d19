"""etc/botod.toml and docs/settings.md, from the definition of the settings.

python -m botod.daemon.setting_pages toml > etc/botod.toml
python -m botod.daemon.setting_pages markdown > docs/settings.md
"""

import re
import sys
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, fields
from typing import Any

from botod.daemon.profile_settings import ProfileSettings
from botod.daemon.reloading import AFTER_RESTART
from botod.daemon.settings import SECTIONS
from botod.daemon.toml_text import value_text

WIDTH = 100
"""Of a line of botod.toml, in characters."""

UNBROKEN = re.compile(r"(?<=\d) (?=to \d|[KM]iB|s\b)|(?<=\d to) (?=\d)")
NO_BREAK = "\xa0"

PAGE_SECTIONS: Mapping[str, type] = {**SECTIONS, "profile.default": ProfileSettings}
"""As they stand in the file: profiles by the example of the one that is always there."""

TOML_HEAD = """\
# botod's configuration: every setting, at its default. `botod run --config botod.toml`
#
# A mistake here keeps the daemon from starting (exit status 78) and is named with section, setting
# and what is allowed; `botod config check FILE` names all of them. AWS keys do not stand here:
# docs/credentials.md says where they come from. This file is made from the definition of the
# settings by `make docs`, as is docs/settings.md.
"""

MARKDOWN_HEAD = """\
# Settings

Each stands in botod.toml in its section, at its default unless it is set. `botod config check
FILE` names every mistake in a file, `botod config show --config FILE` says what holds. Numbers in
brackets are the smallest and the largest that are allowed. Rules of policy, `[[policy]]`, have a
page of their own: [policy.md](policy.md). This page is made from the definition of the settings by
`make docs`, as is [etc/botod.toml](../etc/botod.toml); a test compares.
"""

SECTION_WORDS: Mapping[str, str] = {
    "daemon": "The process.",
    "log": "What is told to whoever runs the daemon: docs/logging.md. Its level is log_level.",
    "audit": "A record of who had what done, apart from the log, and complete: docs/logging.md.",
    "limits": (
        "How much at once. What a limit refuses is answered with an error that names it; "
        "`botod status` counts how often."
    ),
    "pool": "Connections to AWS.",
    "metrics": "Numbers for Prometheus.",
    "profile.default": (
        "An upstream. The profile called default serves the jobs that name none; add others as "
        "[profile.NAME]."
    ),
}

RULES = """\
# Rules of policy: who may have what done. Those here come first, then those of botod.d/*.toml
# beside this file in the order of their names, where each application's package may put its own (a
# file with nothing but rules, which only its owner may write). The first line that is about the
# caller, the operation and the resource decides; where none is, the daemon's own user may
# everything and nobody else anything. docs/policy.md has more. `botod policy check` says which
# rule decides.
#
#     [[policy]]
#     # For whom; all that stand there have to hold.
#     user = "root"                  # "*": everybody; or uid, by number
#     group = "root"                 # or gid, by number
#     unit = "web@*.service"         # systemd's; or cgroup, its path
#     cgroup = "/system.slice/*"
#     # What: operation on resource, that is a bucket, a bucket/key, a queue's name or a domain; a *
#     # stands for any text; without "on": on everything.
#     allow = ["s3.list_objects_v2 on logs", "s3.get_object on logs/2026/*", "sqs.* on orders"]
#     # What not; within a rule it goes before what is allowed.
#     deny = ["s3.* on logs/2026/private/*"]
#     # Only for jobs under these profiles; all if it names none.
#     profiles = ["default"]
#     # What it allows is done under this role; templates say who asks: {user}, {uid}, {unit},
#     # {rule} and {profile}.
#     role_arn = "arn:aws:iam::123456789012:role/logs"
#     role_session_name = "botod-{user}"
#     role_source_identity = "{user}"
#     role_tags = { caller = "{user}" }
#     role_external_id = "agreed"
#     role_duration_s = 3600
#
#     [[policy]]
#     uid = 1000
#     gid = 1000
#     allow = ["botod.status"]
"""


def toml_lines() -> Iterator[str]:
    """botod.toml, line by line."""
    yield TOML_HEAD
    for name, kind in PAGE_SECTIONS.items():
        yield from comment(SECTION_WORDS[name])
        yield f"[{name}]"
        for setting in fields(kind):
            yield from comment(words_of(setting))
            yield f"# {setting.name} = {value_text(default_of(setting))}"
            yield ""
    yield RULES


def markdown_lines() -> Iterator[str]:
    """docs/settings.md, line by line."""
    yield MARKDOWN_HEAD
    for name, kind in PAGE_SECTIONS.items():
        yield f"## [{name.replace('default', 'NAME')}]\n"
        yield f"{SECTION_WORDS[name]}\n"
        yield "| setting | default | | holds after a |"
        yield "|---|---|---|---|"
        for setting in fields(kind):
            words = words_of(setting).replace("|", r"\|").replace("*", r"\*")
            default = value_text(default_of(setting))
            after = "restart" if (name, setting.name) in AFTER_RESTART else "reload"
            yield f"| `{setting.name}` | `{default}` | {words} | {after} |"
        yield ""


def comment(words: str) -> Iterator[str]:
    """Words as comments. No line ends inside a name, or between a number and what belongs to it."""
    lines = textwrap.wrap(
        UNBROKEN.sub(NO_BREAK, words),
        WIDTH - len("# "),
        break_long_words=False,
        break_on_hyphens=False,
    )
    yield from (f"# {line.replace(NO_BREAK, ' ')}" for line in lines)


def words_of(setting: Field[Any]) -> str:
    """What a setting is, with its bounds."""
    words: str = setting.metadata["words"]
    bounds = setting.metadata["bounds"]
    if bounds is None:
        return words
    low, high = (f"{bound:.10g}" for bound in bounds)
    return words.replace("{bounds}", f"({low} to {high})")


def default_of(setting: Field[Any]) -> Any:
    """What holds if a setting is not there."""
    if setting.default_factory is not MISSING:
        return setting.default_factory()
    return setting.default


PAGES = {"toml": toml_lines, "markdown": markdown_lines}

if __name__ == "__main__":
    sys.stdout.write("\n".join(PAGES[sys.argv[1]]()))
