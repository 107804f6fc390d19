"""What may be said to each command, as manuals and completion have it."""

import importlib

import pytest

from botod.daemon.cli import COMMANDS
from botod.daemon.command_pages import DOERS, Page, methods, pages
from botod.daemon.commands.call import FLAGS, OPTIONS

PAGES = {page.name: page for page in pages()}


def flags_of(page: Page) -> set[str]:
    """All flags of all options."""
    return {flag for option in page.options for flag in option.flags}


def test_each_command_is_there() -> None:
    """By itself, or by its subcommands."""
    assert {name.split()[0] for name in PAGES} == set(COMMANDS)
    assert {"policy check", "config check", "config show"} <= set(PAGES)
    assert set(DOERS) < set(COMMANDS)


def test_the_command_without_a_parser() -> None:
    """`botod call`: what its help says is what it takes."""
    call = PAGES["call"]
    assert flags_of(call) == set(OPTIONS) | set(FLAGS) - {"-h", "--help"}
    taken = {flag for option in call.options if option.metavar for flag in option.flags}
    assert taken == set(OPTIONS)
    assert call.usage.splitlines()[1].startswith("botod call --batch ")
    assert "METHOD [Name=value ...]" in call.usage.splitlines()[0]
    assert "Name:=json" in call.description
    assert call.epilog.endswith("with --batch 1 if any failed\n")


def test_a_command_with_a_parser() -> None:
    """Options with and without a value, and what stands there without one."""
    copy = PAGES["cp"]
    assert copy.places == ("SOURCE", "TARGET")
    (jobs,) = (option for option in copy.options if "--jobs" in option.flags)
    (dry,) = (option for option in copy.options if "--dry-run" in option.flags)
    assert (jobs.metavar, dry.metavar) == ("N", "")
    assert "botod.service" in PAGES["systemd-unit"].choices


@pytest.mark.parametrize("name", sorted(set(COMMANDS) - {"call"}))
def test_each_command_gives_its_parser(name: str) -> None:
    """Without beginning anything; each option has words."""
    module = importlib.import_module(f"botod.daemon.commands.{name.replace('-', '_')}")
    assert module.parser().prog == f"botod {name}"
    for page in PAGES.values():
        assert all(option.words for option in page.options)


def test_what_can_be_called() -> None:
    """The operations that there are."""
    assert {"s3.get_object", "sqs.send_message", "botod.status"} <= set(methods())
