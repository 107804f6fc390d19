"""What an administrator is shown of one worker."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from botod.daemon import loads
from botod.daemon.config import Config, ConfigError
from botod.daemon.gates import Gate
from botod.daemon.killing import Ids
from botod.daemon.profile_settings import ProfileSettings
from botod.daemon.services import CATALOG
from botod.daemon.services.operation import Operation
from botod.daemon.settings import DaemonSettings, LimitSettings
from botod.daemon.showing import Showing
from botod.ipc.server import Server
from support.exchanges import Peer
from support.http_server import http_server
from support.ipc import LIMITS
from support.loops import run, until
from support.pools import KEYS
from support.rigs import ON_KEY
from support.services import Held, reply
from support.workers import SENDER, Jobs, open_worker

IDS = Ids(3)
CONFIG = Config(profiles={"default": ProfileSettings(proxy="http://u:hush@proxy:1")})


async def show(
    jobs: Jobs, what: str, there: Config | ConfigError = CONFIG, **params: Any
) -> dict[str, Any]:
    """What the method answers, as JSON carries it. there: what the file has."""

    def read_config() -> Config:
        if isinstance(there, ConfigError):
            raise there
        return there

    server = Server(jobs.worker.handle, LIMITS)
    server.refusals.count("jobs")
    jobs.worker.refusals.count("jobs")
    showing = Showing(
        ids=IDS,
        worker=jobs.worker,
        server=server,
        pool=jobs.pool,
        upstreams=jobs.upstreams,
        gates=jobs.gates,
        config=lambda: CONFIG,
        read_config=read_config,
    )
    answer = await showing.deed().do({"what": what, **params})
    await server.close(timeout_s=0)
    found: dict[str, Any] = json.loads(json.dumps(answer))
    return found


def test_jobs() -> None:
    """The oldest first, with what each is at; those beyond the bound are counted."""
    held = Held(reply(b"x"))

    async def main() -> None:
        with http_server(held) as aws:
            async with open_worker({"s3": f"http://127.0.0.1:{aws.port}"}) as jobs:
                asked = [
                    Peer("s3.get_object", ON_KEY, sender=SENDER).ask(jobs.worker.handle)
                    for _ in range(3)
                ]
                await until(lambda: sum(h.slots.leased_num for h in jobs.pool.stats()) == 3)
                answer = await show(jobs, "jobs", most=2)
                assert [row["id"] for row in answer["rows"]] == [IDS.job(1), IDS.job(2)]
                assert answer["left_out_num"] == 1
                row = answer["rows"][0]
                assert row.pop("age_s") >= 0
                assert row == {
                    "id": IDS.job(1),
                    "operation": "s3.get_object",
                    "profile": "default",
                    "uid": SENDER.uid,
                    "pid": SENDER.pid,
                    "peer": IDS.peer(1),
                    "state": "on the wire",
                    "attempts": 1,
                    "sent_bytes": 0,
                    "received_bytes": 0,
                }
                (profile,) = (await show(jobs, "profiles"))["rows"]
                assert (profile["running_num"], profile["leased_num"]) == (3, 3)
                used = {row["limit"]: row for row in (await show(jobs, "limits"))["rows"]}
                assert (used["jobs"]["used"], used["slots_per_host"]["used"]) == (3, 3)
                held.release.set()
                await asyncio.gather(*(peer.result() for peer in asked))
                await until(lambda: not len(jobs.worker.roll))
                assert await show(jobs, "jobs") == {"rows": [], "left_out_num": 0}

    run(main)


def test_a_job_whose_model_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told once, without an id, among the others by its age, and is left out as they are."""
    read = asyncio.Event()
    held = Held(reply(b"<GetUserResponse><GetUserResult/></GetUserResponse>"))

    class Waiting:
        async def load(self, service: str, name: str) -> Operation:
            await read.wait()
            return await CATALOG.load(service, name)

    monkeypatch.setattr(loads, "CATALOG", Waiting())
    monkeypatch.setattr(CATALOG, "_kept", type(CATALOG._kept)())

    async def main() -> None:
        with http_server(held) as aws:
            url = f"http://127.0.0.1:{aws.port}"
            async with open_worker({"s3": url, "iam": url}) as jobs:
                peers = [
                    Peer(method, params, sender=SENDER).ask(jobs.worker.handle)
                    for method, params in (("iam.get_user", {}), ("s3.get_object", ON_KEY))
                ]
                answer = await show(jobs, "jobs")
                assert {row["id"] for row in answer["rows"]} == {None, IDS.job(1)}
                (row,) = (row for row in answer["rows"] if row["id"] is None)
                assert (row["operation"], row["state"]) == ("iam.get_user", "waits for its model")
                assert (await show(jobs, "jobs", most=1))["left_out_num"] == 1
                read.set()
                await until(lambda: len(jobs.worker.roll) == 2)
                rows = (await show(jobs, "jobs"))["rows"]
                assert {row["id"] for row in rows} == {IDS.job(1), IDS.job(2)}
                held.release.set()
                await asyncio.gather(*(peer.outcome() for peer in peers))

    run(main)


def test_profiles() -> None:
    """Gate, region and where keys are from; nothing of the keys."""

    async def main() -> None:
        with http_server(reply(b"x")) as aws:
            async with open_worker({"s3": f"http://127.0.0.1:{aws.port}"}) as jobs:
                await jobs.do("s3.get_object", **ON_KEY)
                jobs.gates.turn(None, Gate.DRAINED)
                (row,) = (await show(jobs, "profiles"))["rows"]
                assert (row["profile"], row["gate"], row["hosts_num"]) == ("default", "drained", 1)
                assert row["region"] == ProfileSettings().region
                assert not any(key in json.dumps(row) for key in KEYS)

    run(main)


def test_limits() -> None:
    """Each setting that refuses something, with how often it did, by whomever it was counted."""

    async def main() -> None:
        async with open_worker({}) as jobs:
            rows = {row["limit"]: row for row in (await show(jobs, "limits"))["rows"]}
            assert set(LimitSettings.__dataclass_fields__) < rows.keys()
            assert rows["jobs"] == {
                "limit": "jobs", "value": 4096, "used": 0, "refused_total": 2,
            }  # fmt: skip
            assert rows["line_bytes"]["used"] is None
            assert rows["peers_per_uid"]["used"] == 0

    run(main)


def test_config() -> None:
    """What holds, what of the file waits, and for what; no password."""
    there = replace(CONFIG, daemon=DaemonSettings(remember_s=7), limits=LimitSettings(jobs=9))

    async def main() -> None:
        async with open_worker({}) as jobs:
            answer = await show(jobs, "config", there)
            rows = {(row["section"], row["name"]): row for row in answer["rows"]}
            waiting = {key: row["waits_for"] for key, row in rows.items() if row["waits_for"]}
            assert waiting == {("daemon", "remember_s"): "restart", ("limits", "jobs"): "reload"}
            assert (rows["limits", "jobs"]["value"], rows["limits", "jobs"]["in_file"]) == (4096, 9)
            assert "hush" not in json.dumps(answer)
            bad = await show(jobs, "config", ConfigError("it is bad"))
            assert bad["file_error"] == "it is bad"
            assert not any(row["waits_for"] for row in bad["rows"])

    run(main)
