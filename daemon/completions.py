"""What shells complete after `botod`: commands, options, operations, files and users.

python -m botod.daemon.completions bash > etc/completions/botod
"""

import sys
from collections.abc import Callable, Iterator, Mapping

from botod.daemon.cli import COMMANDS
from botod.daemon.command_pages import Option, Page, methods, pages

HEAD = "# Made from the commands by `make docs`."

FILE_METAVARS = ("FILE", "PATH", "SOURCE", "TARGET")

METHOD_METAVARS = ("METHOD", "operation", "SERVICE[.OPERATION]")


def bash_lines() -> Iterator[str]:
    """For bash: /usr/share/bash-completion/completions/botod."""
    yield f"{HEAD}\n"
    yield "_botod() {"
    yield '    local cur="${COMP_WORDS[COMP_CWORD]}" prev="${COMP_WORDS[COMP_CWORD-1]}"'
    yield '    local command="${COMP_WORDS[1]} ${COMP_WORDS[2]}" words="" kind=""'
    yield "    COMPREPLY=()"
    yield "    if [[ $COMP_CWORD -eq 1 ]]; then"
    yield f'        mapfile -t COMPREPLY < <(compgen -W "{" ".join(COMMANDS)}" -- "$cur")'
    yield "        return"
    yield "    fi"
    yield '    case "$command" in'
    for name, subs in _groups().items():
        if subs:
            for page in subs:
                yield from _bash_page(f'"{page.name}"', page)
            yield f'    "{name} "*) words="{" ".join(page.name.split()[1] for page in subs)}" ;;'
        else:
            yield from _bash_page(f'"{name} "*', _page(name))
    yield "    esac"
    yield '    case "$kind" in'
    yield '    file) mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;'
    yield '    user) mapfile -t COMPREPLY < <(compgen -u -- "$cur") ;;'
    yield '    group) mapfile -t COMPREPLY < <(compgen -g -- "$cur") ;;'
    yield "    value) ;;"
    yield '    *) mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur") ;;'
    yield "    esac"
    yield "}"
    yield "complete -o default -F _botod botod"
    yield ""


def zsh_lines() -> Iterator[str]:
    """For zsh: _botod in a folder of $fpath."""
    yield "#compdef botod"
    yield f"{HEAD}\n"
    yield "_botod() {"
    yield "    local -a commands"
    yield "    commands=("
    for name, words in COMMANDS.items():
        yield f"        {_quoted(f'{name}:{words}')}"
    yield "    )"
    yield "    if (( CURRENT == 2 )); then"
    yield "        _describe command commands"
    yield "        return"
    yield "    fi"
    yield '    case "$words[2] $words[3]" in'
    for name, subs in _groups().items():
        if subs:
            for page in subs:
                yield from _zsh_page(f'"{page.name}"', page, shift=2)
            found = " ".join(page.name.split()[1] for page in subs)
            yield f'    "{name} "*) compadd -- {found} ;;'
        else:
            yield from _zsh_page(f'"{name} "*', _page(name), shift=1)
    yield "    esac"
    yield "}"
    yield '_botod "$@"'
    yield ""


def fish_lines() -> Iterator[str]:
    """For fish: /usr/share/fish/vendor_completions.d/botod.fish."""
    yield f"{HEAD}\n"
    yield "complete -c botod -f"
    for name, words in COMMANDS.items():
        yield f"complete -c botod -n __fish_use_subcommand -a {name} -d {_fish(words)}"
    for name, subs in _groups().items():
        if subs:
            found = " ".join(page.name.split()[1] for page in subs)
            unsaid = f"__fish_seen_subcommand_from {name}; and not __fish_seen_subcommand_from"
            yield f"complete -c botod -n {_fish(f'{unsaid} {found}')} -a {_fish(found)}"
        for page in subs or [_page(name)]:
            yield from _fish_page(page)
    yield ""


SHELLS: Mapping[str, Callable[[], Iterator[str]]] = {
    "bash": bash_lines,
    "zsh": zsh_lines,
    "fish": fish_lines,
}


def _groups() -> dict[str, list[Page]]:
    """The subcommands of each command; none: it has none."""
    found: dict[str, list[Page]] = {name: [] for name in COMMANDS}
    for page in pages():
        name, _blank, sub = page.name.partition(" ")
        if sub:
            found[name].append(page)
    return found


def _page(name: str) -> Page:
    return next(page for page in pages() if page.name == name)


def _kind(option: Option) -> str:
    """What the value of an option is."""
    if option.metavar in FILE_METAVARS and "--cgroup" not in option.flags:
        return "file"
    if option.metavar == "NAME" and any("user" in flag for flag in option.flags):
        return "user"
    return "group" if "--group" in option.flags else "value"


def _places(page: Page) -> str:
    """What stands there without an option: files or operations; empty: neither."""
    if set(page.places) & set(FILE_METAVARS):
        return "file"
    return "method" if set(page.places) & set(METHOD_METAVARS) else ""


def _bash_page(pattern: str, page: Page) -> Iterator[str]:
    words = [flag for option in page.options for flag in option.flags]
    if _places(page) == "method":
        words += methods()
    yield f"    {pattern})"
    yield f'        words="{" ".join([*words, *page.choices])}"'
    valued = [option for option in page.options if option.metavar]
    if valued:
        yield '        case "$prev" in'
        for option in valued:
            yield f"        {' | '.join(option.flags)}) kind={_kind(option)} ;;"
        yield "        esac"
    if _places(page) == "file":
        yield "        [[ -n $kind || $cur == -* ]] || kind=file"
    yield "        ;;"


def _zsh_page(pattern: str, page: Page, *, shift: int) -> Iterator[str]:
    yield f"    {pattern})"
    yield f"        shift {shift} words; (( CURRENT -= {shift} ))"
    lines = [_zsh_option(option, flag) for option in page.options for flag in option.flags]
    if _places(page) == "method":
        lines.append(_quoted(f"1:operation:({' '.join(methods())})"))
    elif _places(page) == "file":
        lines.append(_quoted("*:file:_files"))
    elif page.choices:
        lines.append(_quoted(f"1:name:({' '.join(page.choices)})"))
    yield f"        _arguments {f' {chr(92)}{chr(10)}            '.join(lines)} ;;"


def _zsh_option(option: Option, flag: str) -> str:
    words = option.words.replace("[", r"\[").replace("]", r"\]").replace(":", r"\:")
    action = {"file": "_files", "user": "_users", "group": "_groups"}.get(_kind(option), "")
    value = f":{option.metavar}:{action}" if option.metavar else ""
    return _quoted(f"{flag}[{words}]{value}")


def _fish_page(page: Page) -> Iterator[str]:
    said = "; and ".join(f"__fish_seen_subcommand_from {word}" for word in page.name.split())
    begin = f"complete -c botod -n {_fish(said)}"
    for option in page.options:
        flags = " ".join(
            f"-l {flag[2:]}" if flag.startswith("--") else f"-s {flag[1:]}" for flag in option.flags
        )
        value = {
            "file": " -r -F",
            "user": " -x -a '(__fish_complete_users)'",
            "group": " -x -a '(__fish_complete_groups)'",
            "value": " -x",
        }[_kind(option)]
        yield f"{begin} {flags}{value if option.metavar else ''} -d {_fish(option.words)}"
    if _places(page) == "method":
        yield f"{begin} -a {_fish(' '.join(methods()))}"
    elif _places(page) == "file":
        yield f"{begin} -F"
    elif page.choices:
        yield f"{begin} -a {_fish(' '.join(page.choices))}"


def _quoted(text: str) -> str:
    """A word of a shell's that nothing is replaced in."""
    escaped = text.replace("'", r"'\''")
    return f"'{escaped}'"


def _fish(text: str) -> str:
    escaped = text.replace("\\", r"\\").replace("'", r"\'")
    return f"'{escaped}'"


if __name__ == "__main__":
    sys.stdout.write("\n".join(SHELLS[sys.argv[1]]()))
