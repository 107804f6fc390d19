"""Who a rule of policy is asked about: the kernel's word for a sender, and its cgroup."""

import os
import re
from dataclasses import dataclass

from botod.daemon.rules import Who, matcher
from botod.ipc.exchange import Sender

OVERFLOW_ID = 65534
"""What every stranger, user or group, looks like from inside a user namespace."""

MAX_PROC_BYTES = 65536
"""Of a file under /proc; a status has some 1,500."""

_OWNER = re.compile(rb"^Uid:\t(\d+)\t(\d+)\t(\d+)\t(\d+)$", re.MULTILINE)
_CGROUP = re.compile(r"^(?:0:|\d+:name=systemd):(/.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Caller:
    """One who asks. groups: all; doubtful_groups: it may have them or not. cgroup: its path.

    cgroup: None: it cannot be told, or was not looked for.
    """

    uid: int
    groups: frozenset[int] = frozenset()
    doubtful_groups: frozenset[int] = frozenset()
    cgroup: str | None = None

    def __str__(self) -> str:
        return f"user {self.uid}"

    def surely_is(self, who: Who) -> bool:
        """Whether a rule for `who` may allow something."""
        return self._is(who, self.groups, in_doubt=False)

    def may_be(self, who: Who) -> bool:
        """Whether a rule for `who` denies."""
        return self._is(who, self.groups | self.doubtful_groups, in_doubt=True)

    def _is(self, who: Who, groups: frozenset[int], *, in_doubt: bool) -> bool:
        if who.uid is not None and who.uid != self.uid:
            return False
        if who.gid is not None and who.gid not in groups:
            return False
        if not (who.unit or who.cgroup):
            return True
        if self.cgroup is None:
            return in_doubt
        return _fits(who.unit, unit_of(self.cgroup)) and _fits(who.cgroup, self.cgroup)


def caller_of(sender: Sender, *, needs_cgroup: bool, proc: str = "/proc") -> Caller:
    """Who sent a message; its cgroup as it is now, if that is needed."""
    return Caller(
        sender.uid,
        (sender.groups | {sender.gid}) - {OVERFLOW_ID},
        sender.doubtful_groups - {OVERFLOW_ID},
        cgroup_of(sender.pid, sender.uid, proc=proc) if needs_cgroup else None,
    )


def cgroup_of(pid: int, uid: int, *, proc: str = "/proc") -> str | None:
    """The cgroup of a process of this user, systemd's where there are several hierarchies.

    None: there is none such any more, or it is not to be seen from here. Both files are read
    through one descriptor of the process: two processes may have one number in turn.
    """
    if pid <= 0:
        return None
    try:
        process = os.open(f"{proc}/{pid}", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        owner = _OWNER.search(_read("status", process))
        text = _read("cgroup", process).decode("utf-8", "surrogateescape")
    except OSError:  # it has ended meanwhile
        return None
    finally:
        os.close(process)
    if owner is None or str(uid).encode() not in owner.groups():
        return None
    return _systemd_s(text)


def unit_of(cgroup: str) -> str:
    """The system's unit that a cgroup is in: the first part that is no slice; empty: none.

    What is further down may be made by a user, under any name.
    """
    for part in cgroup.split("/"):
        name = part.removeprefix("_")  # systemd's escape of names that the kernel would take
        if name and not name.endswith(".slice"):
            return name if "." in name else ""
    return ""


def _systemd_s(text: str) -> str | None:
    """The path in systemd's hierarchy, which is the unified one if that is all there is."""
    found = _CGROUP.findall(text)
    if not found:
        return None
    path: str = found[0]
    is_outside = path.startswith("/..") or path.endswith(" (deleted)")
    return None if is_outside else path


def _read(name: str, folder: int) -> bytes:
    file = os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=folder)
    try:
        return os.read(file, MAX_PROC_BYTES)
    finally:
        os.close(file)


def _fits(pattern: str, text: str) -> bool:
    return not pattern or matcher(pattern).match(text) is not None
