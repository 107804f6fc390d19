"""`botod doctor`: what keeps this host from being served, what causes it, and what to do."""

import argparse
import json
import logging
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict

from botod.daemon.doctor.examination import Question, examine
from botod.daemon.doctor.finding import Finding, Level
from botod.daemon.users import NoSuchName, uid_of

CONFIG = "/etc/botod/botod.toml"
"""Where packages and units have it."""

EXIT_ILL = 1
EXIT_USAGE = 2

DESCRIPTION = """\
Look at configuration, socket, policy, libcurl, descriptors, disks, credentials, names, TLS, clock
and proxies, a line each: ok, warn or FAIL, with the cause and the cure. It changes nothing, prints
no key, and ends within a minute. Look as the daemon's user, or as root: others see less.
"""

EPILOG = """\
exit status: 0 nothing failed, 1 something did, 2 wrong usage
"""


def main(argv: Sequence[str]) -> int:
    arguments = parser().parse_args(argv)
    try:
        question = Question(
            arguments.config or (CONFIG if os.path.exists(CONFIG) else None),  # noqa: PTH110
            arguments.socket,
            None if arguments.user is None else uid_of(arguments.user),
            None if arguments.daemon_user is None else uid_of(arguments.daemon_user),
        )
    except NoSuchName as error:
        sys.stderr.write(f"botod: {error}\n")
        return EXIT_USAGE
    for name in ("botocore", "urllib3"):  # findings say it, and nothing that is secret
        logging.getLogger(name).setLevel(logging.CRITICAL)
    tell = _as_json if arguments.json else _as_lines
    return 0 if tell(examine(question)) else EXIT_ILL


def parser() -> argparse.ArgumentParser:
    """What may be said."""
    said = argparse.ArgumentParser(prog="botod doctor", description=DESCRIPTION, epilog=EPILOG)
    said.add_argument(
        "--config", metavar="FILE", help=f"settings in TOML; default: {CONFIG} if it is there"
    )
    said.add_argument("--socket", metavar="PATH", help="default: where the settings have it")
    said.add_argument("--user", metavar="NAME", help="who wants to be served; default: who asks")
    said.add_argument(
        "--daemon-user",
        metavar="NAME",
        help="whom the daemon runs as; default: as the one that answers, else who asks",
    )
    said.add_argument("--json", action="store_true", help="as JSON, for a program")
    return said


def _as_lines(findings: Iterable[Finding]) -> bool:
    is_well = True
    for finding in findings:
        sys.stdout.write(f"{finding}\n")
        sys.stdout.flush()
        is_well = is_well and finding.level is not Level.FAIL
    return is_well


def _as_json(findings: Iterable[Finding]) -> bool:
    findings = list(findings)
    is_well = all(finding.level is not Level.FAIL for finding in findings)
    told = {"well": is_well, "findings": [asdict(finding) for finding in findings]}
    sys.stdout.write(json.dumps(told, indent=2) + "\n")
    return is_well
