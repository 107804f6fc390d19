"""All checks, in an order in which a person mends things; the slow ones at the same time."""

import os
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import certifi

from botod.daemon.callers import Caller, cgroup_of
from botod.daemon.config import Config
from botod.daemon.doctor.configuration import look_around, look_at_file, look_at_policy, read
from botod.daemon.doctor.finding import Finding, bad
from botod.daemon.doctor.host import (
    look_at_descriptors,
    look_at_directories,
    look_at_libcurl,
    look_at_namespace,
)
from botod.daemon.doctor.keys import look_at_keys, told_keys
from botod.daemon.doctor.network import look_at, look_at_regions, targets_of
from botod.daemon.doctor.sockets import look_at_socket, look_at_way
from botod.daemon.profile_settings import ProfileSettings
from botod.daemon.users import groups_of
from botod.ipc.client import default_socket

SLOW_S = 40.0
"""For all that asks others: a credential_process has 20 s, STS with both its tries 24."""

Check = Callable[[], Iterable[Finding]]


@dataclass(frozen=True)
class Question:
    """What is asked. config: a file; None: all defaults. socket: None: where it should be.

    user, daemon_user: by number; None: who asks; whom the daemon that answers runs as.
    """

    config: str | None = None
    socket: str | None = None
    user: int | None = None
    daemon_user: int | None = None


def examine(question: Question) -> Iterator[Finding]:
    """Look at everything."""
    config, findings = read(question.config)
    yield from findings
    settings = config or Config()
    path = question.socket or settings.daemon.socket or default_socket()
    running, findings = look_at_socket(path, int(settings.daemon.socket_mode, 8))
    yield from findings
    caller = _caller(question.user)
    running_uid = running.uid if running is not None else None
    daemon = _user(_first(question.daemon_user, running_uid, os.geteuid()))
    yield from look_at_way(path, caller)
    if question.config is not None:
        yield from look_at_file(question.config, daemon)
    is_asker = question.user in (None, os.geteuid())
    is_served = is_asker and running is not None and not running.refusal
    yield from look_at_namespace(caller, running, is_served=is_served)
    yield look_at_libcurl()
    yield look_at_descriptors(settings, running)
    if config is not None:
        refusal = running.refusal if running is not None and is_asker else ""
        yield from look_at_policy(config, caller, daemon, refusal, is_served=is_served)
        yield from look_at_directories(config, path, daemon)
        yield from look_around(config, os.environ)
        yield from look_at_regions(config.profiles)
        told = running.keys if running is not None else {}
        yield from at_once(_slow(config, told), bound_s=SLOW_S)


def at_once(checks: list[tuple[str, Check]], *, bound_s: float) -> Iterator[Finding]:
    """What all of them find, in their order. One that takes longer than the bound is named.

    A name that is being resolved cannot be stopped: it is left to its thread, which nobody waits
    for.
    """
    done: queue.SimpleQueue[tuple[int, list[Finding]]] = queue.SimpleQueue()
    for number, (_name, check) in enumerate(checks):
        threading.Thread(target=_run, args=(number, check, done), daemon=True).start()
    found: dict[int, list[Finding]] = {}
    deadline = time.monotonic() + bound_s
    while len(found) < len(checks) and (left_s := deadline - time.monotonic()) > 0:
        try:
            number, findings = done.get(timeout=left_s)
        except queue.Empty:
            break
        found[number] = findings
    for number, (name, _check) in enumerate(checks):
        late = bad(name, f"no end within {bound_s:g} s", "look at the network and its resolver")
        yield from found.get(number, [late])


def _run(number: int, check: Check, done: "queue.SimpleQueue[tuple[int, list[Finding]]]") -> None:
    done.put((number, list(check())))


def _slow(config: Config, told: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, Check]]:
    """What asks others. told: what the daemon tells of its keys, by whose they are."""
    roots = config.pool.ca_file or certifi.where()
    keys = [
        ("credentials", partial(_keys, name, profile, told.get(f"profile {name!r}")))
        for name, profile in config.profiles.items()
    ]
    servers = [
        ("connect", partial(look_at, target)) for target in targets_of(config.profiles, roots)
    ]
    return [*keys, *servers]


def _keys(name: str, profile: ProfileSettings, told: Mapping[str, Any] | None) -> Iterable[Finding]:
    if told is not None:
        return [told_keys(name, told)]
    return look_at_keys(name, profile, profile.ca_file or None)


def _caller(uid: int | None) -> Caller:
    """Who asks, or somebody else, of whom it is not known in which unit."""
    if uid is not None:
        return _user(uid)
    me = os.geteuid()
    groups = frozenset({os.getegid(), *os.getgroups()})
    return Caller(me, groups, cgroup=cgroup_of(os.getpid(), me))


def _user(uid: int) -> Caller:
    return Caller(uid, groups_of(uid))


def _first(*candidates: int | None) -> int:
    return next(one for one in candidates if one is not None)
