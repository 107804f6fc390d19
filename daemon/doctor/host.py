"""The host: user namespaces, libcurl, descriptors, directories and disks."""

import os
import re
import resource
import stat
from collections.abc import Iterator
from pathlib import Path

import pycurl

from botod.daemon.callers import OVERFLOW_ID, Caller
from botod.daemon.config import Config
from botod.daemon.doctor.finding import Finding, bad, doubtful, good
from botod.daemon.doctor.rights import ENTER, OTHERS_WRITE, WRITE, may, rights_text
from botod.daemon.doctor.sockets import Running

ALL_IDS = 2**32 - 1
"""That many are mapped where there is no user namespace."""

SPARE_DESCRIPTORS = 64
"""For what is open besides peers, slots and passed descriptors: epoll, logs, files, libraries."""

LOW_BYTES = 16 * 1024 * 1024
"""What the keys file of one user may come to; with less, it may fail any moment."""


def look_at_namespace(
    caller: Caller, running: Running | None, *, is_served: bool
) -> Iterator[Finding]:
    """Whether users here are who they are for the daemon. is_served: it has answered who asks."""
    ranges = _mapped("self")
    if os.geteuid() == OVERFLOW_ID or not any(os.geteuid() in one for one in ranges):
        tell, words = (
            (doubtful, "a daemon outside knows it by its number there, and serves it")
            if is_served
            else (bad, "a daemon in this user namespace refuses it")
        )
        yield tell(
            "namespace",
            f"this process is an unmapped user, {os.geteuid()}: {words}",
            "map it to a user of the host: --userns=host, hostUsers: true, or an entry in "
            "/etc/subuid",
        )
        return
    if not any(caller.uid in one for one in ranges):
        yield bad(
            "namespace",
            f"{caller} is not mapped into this user namespace, and looks like {OVERFLOW_ID}",
            "map it, or run the daemon outside",
        )
    if running is not None and running.pid and not _is_in_this(running.pid):
        yield bad(
            "namespace",
            "the daemon runs in another user namespace: users are others for it",
            "run it in the host's: without PrivateUsers=, with --userns=host",
        )
    elif sum(map(len, ranges)) < ALL_IDS:
        yield doubtful(
            "namespace",
            f"this is a user namespace that knows {sum(map(len, ranges))} users; all others look "
            f"like {OVERFLOW_ID}, and a daemon here refuses them",
            "run the daemon on the host, and mount the directory of its socket here",
        )
    else:
        yield good("namespace", "users here are the host's")


def look_at_libcurl() -> Finding:
    """Whether names are resolved without holding up everybody."""
    info = pycurl.version_info()
    if info[4] & pycurl.VERSION_ASYNCHDNS:
        return good("libcurl", f"{info[1]} with {info[5]} and an asynchronous resolver")
    return bad(
        "libcurl",
        f"{info[1]} resolves names synchronously, and the daemon does not start with it",
        "install pycurl's wheel, or build it against a libcurl with a threaded resolver or c-ares: "
        "docs/install.md",
    )


def look_at_descriptors(config: Config, running: Running | None) -> Finding:
    """Whether there may be as many descriptors as the settings ask for."""
    needed = descriptors_needed(config)
    pid = running.pid if running is not None else 0
    allowed = _descriptors_of(pid) if pid else None
    whose = f"the daemon, pid {pid}," if allowed is not None else "a process started here"
    if allowed is None:
        allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[1]  # a daemon takes what it may
    if allowed == resource.RLIM_INFINITY or allowed >= needed:
        return good("descriptors", f"{whose} may have {allowed}, at most {needed} are needed")
    return bad(
        "descriptors",
        f"{whose} may have {allowed}; peers, slots and passed descriptors come to {needed}",
        f"LimitNOFILE={max(needed, 65536)} in the unit, minfds in supervisord.conf, or ulimit -n; "
        "or lower [limits] peers and [pool] slots_per_host",
    )


def descriptors_needed(config: Config) -> int:
    """Of one worker, at most.

    One for each peer, for each transfer of each profile to one host, for each that is passed.
    """
    slots = config.pool.total_slots or sum(
        profile.slots_per_host or config.pool.slots_per_host for profile in config.profiles.values()
    )
    limits = config.limits
    divided = limits.peers + slots + limits.descriptors_per_uid
    return -(-divided // config.daemon.workers) + SPARE_DESCRIPTORS


def look_at_directories(config: Config, socket_path: str, daemon: Caller) -> Iterator[Finding]:
    """Where the daemon writes: rights, and room."""
    yield from _directory("the socket", Path(socket_path).absolute().parent, daemon)
    if config.daemon.state_dir:
        folder = Path(config.daemon.state_dir)
        yield from _directory("state_dir", folder, daemon, is_private=True)
    if config.daemon.keys_file:
        folder = Path(config.daemon.keys_file).parent
        yield from _directory("keys_file", folder, daemon, is_private=True)
        yield from _keys_file(config.daemon.keys_file, daemon)


def _directory(
    what: str, folder: Path, daemon: Caller, *, is_private: bool = False
) -> Iterator[Finding]:
    try:
        found, disk = folder.stat(), os.statvfs(folder)
    except OSError as error:
        owner = f"install -d -o {daemon.uid} {folder}"
        yield bad("directory", f"{folder}, of {what}: {error.strerror}", f"make it: {owner}")
        return
    free_bytes = disk.f_bavail * disk.f_frsize
    if not (may(daemon, found, WRITE) and may(daemon, found, ENTER)):
        yield bad(
            "directory",
            f"{folder}, of {what}: {daemon}, the daemon's, may not write there "
            f"({rights_text(found)}, owner {found.st_uid})",
            f"chown {daemon.uid} {folder}; chmod u+rwx {folder}",
        )
    elif is_private and found.st_mode & OTHERS_WRITE:
        cause = f"{folder}, of {what}: others may write there ({rights_text(found)})"
        yield bad("directory", cause, f"chmod go-w {folder}")
    elif not free_bytes or (disk.f_files and not disk.f_favail):
        yield bad("disk", f"{folder}, of {what}: the disk is full", "make room there")
    elif free_bytes < LOW_BYTES:
        cause = f"{folder}, of {what}: only {free_bytes // 1024} KiB are free"
        yield doubtful("disk", cause, "make room there")
    else:
        words = f"{free_bytes // 2**20} MiB are free"
        yield good("directory", f"{folder}, of {what}: the daemon may write there, {words}")


def _keys_file(path: str, daemon: Caller) -> Iterator[Finding]:
    for name in (path, f"{path}.owners"):
        try:
            found = os.lstat(name)
        except OSError:
            continue  # it will be made, or its directory is said to be missing
        private = stat.S_IRUSR | stat.S_IWUSR
        if not stat.S_ISREG(found.st_mode):
            yield bad("directory", f"{name} is not a regular file", "remove it")
        elif found.st_uid != daemon.uid or stat.S_IMODE(found.st_mode) != private:
            yield bad(
                "directory",
                f"{name} belongs to user {found.st_uid} with the rights {rights_text(found)}; the "
                f"daemon, {daemon}, does not start with it",
                f"chown {daemon.uid} {name}; chmod 600 {name}",
            )


def _mapped(process: str) -> list[range]:
    """The users that a process's namespace knows. No file: there is one namespace only."""
    try:
        lines = Path(f"/proc/{process}/uid_map").read_text(encoding="ascii").splitlines()
    except OSError:
        return [range(ALL_IDS)]
    numbers = [[int(word) for word in line.split()] for line in lines]
    return [range(first, first + count) for first, _outside, count in numbers]


def _is_in_this(pid: int) -> bool:
    """Whether a process is in this user namespace, as far as that is to be seen."""
    try:
        mine, its = (Path(f"/proc/{one}/ns/user").readlink() for one in ("self", pid))
    except FileNotFoundError:
        return True  # it is not of this pid namespace; nothing is known of it
    except OSError:  # the kernel does not show it to other namespaces
        return _mapped("self") == _mapped(str(pid))
    return mine == its


def _descriptors_of(pid: int) -> int | None:
    try:
        text = Path(f"/proc/{pid}/limits").read_text(encoding="ascii")
    except OSError:
        return None
    found = re.search(r"^Max open files\s+(\d+)", text, re.MULTILINE)
    return int(found[1]) if found else None
