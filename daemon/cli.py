"""The command `botod`. Each subcommand is a module of its own, imported only when it is asked for.

`botod call` is started by shell scripts many times a second: it must not import the daemon.
"""

import argparse
import importlib
import sys
from collections.abc import Sequence

from botod.daemon.compiled_code import use_compiled_code

COMMANDS = {
    "run": "run the daemon",
    "call": "have one operation done: botod call s3.get_object Bucket=bucket Key=k",
    "cp": "copy files and objects: botod cp FILE s3://bucket/k",
    "restart": "have a running daemon begin anew: new program and configuration, same socket",
    "supervisor-watchdog": "for supervisor: restart workers that do not answer",
    "status": "show peers, jobs and pools of a running daemon",
    "top": "show what a running daemon does, live",
    "show": "show a table: botod show jobs",
    "pause": "let no request go out; jobs wait: botod pause PROFILE",
    "drain": "take no jobs; those that run finish: botod drain PROFILE",
    "resume": "take back a pause or a drain",
    "kill": "end a job, or close a connection: botod kill j0-3f2a-17",
    "reload": "have a running daemon read its configuration again, and say what changed",
    "log-level": "say how much the log tells until the next reload",
    "services": "list services, operations and their parameters: botod services dynamodb.get_item",
    "policy": "say which rule of policy decides: botod policy check --user NAME OPERATION …",
    "config": "check a configuration, or show what holds: botod config check FILE",
    "doctor": "say what keeps this host from being served, and what to do",
    "systemd-unit": "print a file for systemd: botod systemd-unit botod.service",
    "supervisor-conf": "print a configuration of supervisor's",
    "demo": "start servers, a daemon and local processes that use it",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the subcommand that `argv` names; its exit status."""
    argv = sys.argv[1:] if argv is None else list(argv)
    parser = argparse.ArgumentParser(
        prog="botod", description="The one process on a host that talks to AWS."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, words in COMMANDS.items():
        commands.add_parser(name, help=words, add_help=False)
    command = parser.parse_args(argv[:1]).command
    if command == "run":
        use_compiled_code()
    module = importlib.import_module(f"botod.daemon.commands.{command.replace('-', '_')}")
    status: int = module.main(argv[1:])
    return status


if __name__ == "__main__":
    sys.exit(main())
