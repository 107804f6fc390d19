"""Jobs of which only a part is there, as what looks at that part sees them.

They are real all the same: compiled code takes no stand-ins.
"""

import asyncio
from typing import Any

from botod.daemon.bodies import Bodies, Means
from botod.daemon.credentials import Keys, NoKeys
from botod.daemon.file_threads import FileThreads
from botod.daemon.gathering import Together
from botod.daemon.held import Held
from botod.daemon.job import Job
from botod.daemon.moved import Moved
from botod.daemon.options import DEFAULTS, Options
from botod.daemon.policy import Permit
from botod.daemon.profile_settings import ProfileSettings
from botod.daemon.runs import Run
from botod.daemon.services import SERVICES
from botod.daemon.upstreams import Upstream, Upstreams
from botod.daemon.verdicts import Decision
from botod.ipc.exchange import Sender
from botod.ipc.limits import Budget, Refusals
from botod.pool import Pool, Terms

OPERATION = SERVICES["s3"].operations["get_object"]
SENDER = Sender(1, 2, 3, 4)
PERMIT = Permit(None, (), Decision(True, None, None))

NO_CLIENT: Any = None
IDLE_POOL = Pool(NO_CLIENT, slots_per_host=1, max_waiting=0, slot_timeout_s=0.0)
"""No request goes out by it."""


def _no_keys(_profile: str, _settings: ProfileSettings) -> Keys:
    raise NoKeys("nobody asks")


async def _nobody() -> Upstream:
    return Upstreams(IDLE_POOL, {"default": ProfileSettings()}, _no_keys).find("default", "s3")


NOBODY = asyncio.run(_nobody())
"""Whom nobody asks."""


def job_of(
    service: str = "s3",
    name: str = "get_object",
    *,
    options: Options = DEFAULTS,
    terms: Terms | None = None,
    deadline: float = 0.0,
) -> Job:
    """A job that nobody runs."""
    terms = terms or Terms()
    return Job(service, name, OPERATION, {}, options=options, deadline=deadline, terms=terms)


def run_of(job: Job, *, sender: Sender = SENDER, permit: Permit = PERMIT, **about: Any) -> Run:
    """One under way, of which nothing runs. about: attributes that it has been given since."""
    held = Held(Budget(0), Refusals())
    means = Means(FileThreads(), inline_bytes=0, unread_timeout_s=0.0)
    bodies = Bodies(OPERATION, means, held, uid=sender.uid, can_stream=True)
    run = Run(job, NOBODY, sender=sender, permit=permit, bodies=bodies, held=held, began=0.0)
    for name, value in about.items():
        setattr(run, name, value)
    return run


def run_that_ended(
    service: str = "s3", name: str = "get_object", uid: int = 1, together: Together | None = None
) -> Run:
    """A job that is over: 2 attempts, 0.3 s until the first byte, 5 bytes of body."""
    terms = Terms()
    terms.attempts_num = 2
    terms.times.first_byte_s = 0.3
    moved = Moved()
    moved.received_bytes = 5
    job = job_of(service, name, terms=terms)
    return run_of(job, sender=Sender(1, uid, 1, 1), moved=moved, together=together)
