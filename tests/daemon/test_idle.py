"""A daemon that has nothing to do costs a host next to nothing."""

import os
import subprocess
import sys
import time
from pathlib import Path

from support.compiled import COMPILED_PATH
from support.daemons import Daemon, endpoints, running_daemon
from support.http_server import http_server
from support.services import reply

MOST_KIB = (66 if COMPILED_PATH else 60) * 1024
"""Resident, of one worker; 57 MiB were measured, of which 21 are pages of shared libraries.

Compiled, 62: 5 more of such pages.
"""

IDLE_S = 5.0

TICKS_MOST = 5
"""Of 10 ms each, in five idle seconds: none or one were measured."""

HEAVY = ("sqlite3", "anycrc", "botod.daemon.models", "botod.daemon.demo", "moto", "boto3")
"""What only some daemons need, and so only they import."""

LOADED = "import sys, botod.daemon.commands.run; print(*sys.modules)"


def resident_kib(daemon: Daemon) -> int:
    """What a daemon holds in memory."""
    status = Path(f"/proc/{daemon.process.pid}/status").read_text(encoding="ascii")
    return int(status.partition("VmRSS:")[2].split()[0])


def ticks(daemon: Daemon) -> int:
    """How long it has computed, in the kernel's ticks."""
    stat = Path(f"/proc/{daemon.process.pid}/stat").read_text(encoding="ascii")
    fields = stat.rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def test_an_idle_worker() -> None:
    """Its memory stays below a bound, before its first job and after it, and it sleeps."""
    assert os.sysconf("SC_CLK_TCK") == 100, "what TICKS_MOST is made for"
    with http_server(reply(b"x")) as aws, running_daemon(endpoints(aws.port)) as daemon:
        before = resident_kib(daemon)
        assert before <= MOST_KIB
        with daemon.connect() as connection:
            assert connection.client("s3").get_object(Bucket="b-b", Key="k")["Body"].read() == b"x"
        assert resident_kib(daemon) <= MOST_KIB
        used = ticks(daemon)
        time.sleep(IDLE_S)  # nothing happens, which nothing announces
        assert ticks(daemon) - used <= TICKS_MOST


def test_what_only_some_need_is_not_imported() -> None:
    """SQLite, tables of CRCs, the models: each some hundreds of KiB at least."""
    done = subprocess.run(
        [sys.executable, "-c", LOADED], capture_output=True, text=True, check=True, timeout=60
    )
    assert not {*HEAVY} & {*done.stdout.split()}
