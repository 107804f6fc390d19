"""Namespaces as containers have them, made by unshare."""

import os
import subprocess
import sys

import pytest

from support.daemons import BOUND_S, RUN

NO_RIGHTS = (
    "setpriv", "--reuid=990", "--regid=990", "--clear-groups", "--no-new-privs",
    "--inh-caps=-all", "--ambient-caps=-all", "--bounding-set=-all",
    "--pdeathsig=keep",
)  # fmt: skip
"""As a pod's securityContext has it: another user, no capabilities, none to be won."""


def unshared(*flags: str) -> tuple[str, ...]:
    """The words that run a command in namespaces of its own.

    Where they cannot be made the test is skipped; in CI it fails if root is refused.
    """
    words = ("unshare", *flags)
    done = subprocess.run([*words, "true"], check=False, capture_output=True, timeout=BOUND_S)
    if done.returncode:
        must = bool(os.environ.get("CI")) and os.geteuid() == 0
        (pytest.fail if must else pytest.skip)(f"{words}: {done.stderr.decode()}")
    return words


def daemon_in(*inside: str) -> tuple[str, ...]:
    """What Python runs to have the daemon started by a command, such as unshare's."""
    words = [*inside, sys.executable, *RUN]
    return ("-c", f"import os, sys; os.execvp({words[0]!r}, {words!r} + sys.argv[1:])")
