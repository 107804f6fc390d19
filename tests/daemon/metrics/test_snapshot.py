"""What a worker tells of itself."""

import json
from typing import Any

import pytest

from botod.daemon.gates import Gate
from botod.daemon.metrics.snapshot import by_endpoint, counts_only, endpoint_of, whole_status
from support.loops import run
from support.rigs import ON_KEY
from support.tellers import telling_worker

KNOWN = ["s3.eu-central-1.amazonaws.com:443", "localhost:9000"]


def test_it_is_fit_for_the_wire() -> None:
    """Numbers of all parts, in JSON."""

    async def main() -> None:
        async with telling_worker() as (jobs, snapshot):
            await jobs.do("s3.get_object", **ON_KEY)
            snapshot.has_started = True
            found = json.loads(json.dumps(await snapshot()))
            assert (found["worker"], found["workers_num"], found["is_ready"]) == (1, 3, True)
            assert found["jobs_done"]["services"]["s3"]["received_bytes"] == 5
            assert found["status"]["pools"][0]["leases_total"] == 1
            assert found["profile_keys"]["default"]["has_keys"] is True
            assert "peers" not in found["status"]

    run(main)


def test_what_an_administrator_drained_is_not_ready() -> None:
    """No job is taken there; where they wait, or only a profile's are refused, they are."""

    async def main() -> None:
        async with telling_worker() as (jobs, snapshot):
            assert not snapshot.is_ready
            snapshot.has_started = True
            for profile, gate in [(None, Gate.PAUSED), ("default", Gate.DRAINED)]:
                jobs.gates.turn(profile, gate)
                assert snapshot.is_ready
            jobs.gates.turn(None, Gate.DRAINED)
            assert not snapshot.is_ready
            jobs.gates.turn(None, Gate.OPEN)
            assert snapshot.is_ready

    run(main)


@pytest.mark.parametrize(
    ("origin", "endpoint"),
    [
        ("https://s3.eu-central-1.amazonaws.com:443", KNOWN[0]),
        ("https://photos.s3.eu-central-1.amazonaws.com:443", KNOWN[0]),
        ("https://a.b.s3.eu-central-1.amazonaws.com:443", KNOWN[0]),
        ("https://photos.s3.us-west-2.amazonaws.com:443", "other"),
        ("https://photoss3.eu-central-1.amazonaws.com:443", "other"),
        ("http://localhost:9000", KNOWN[1]),
        ("http://localhost:9001", "other"),
    ],
)
def test_a_bucket_s_host_counts_as_its_endpoint_s(origin: str, endpoint: str) -> None:
    """And one that belongs to none is not named."""
    assert endpoint_of(origin, KNOWN) == endpoint


def test_hosts_of_an_endpoint_are_counted_together() -> None:
    """Those of a profile: numbers added up, of waits the longest, the worst health."""

    def pool(host: str, profile: str, **figures: Any) -> dict[str, Any]:
        return {"origin": f"https://{host}:443", "profile": profile, **figures}

    ours = "s3.eu-central-1.amazonaws.com"
    found = by_endpoint(
        [
            pool(f"a.{ours}", "default", slots_num=3, oldest_wait_s=1.0, state="good"),
            pool(f"b.{ours}", "default", slots_num=4, oldest_wait_s=2.0, state="resting"),
            pool(f"b.{ours}", "backup", slots_num=5, oldest_wait_s=0.0, state="good"),
        ],
        KNOWN,
    )
    assert found == [
        {
            "origin": KNOWN[0],
            "profile": "default",
            "slots_num": 7,
            "oldest_wait_s": 2.0,
            "state": "resting",
        },
        {
            "origin": KNOWN[0],
            "profile": "backup",
            "slots_num": 5,
            "oldest_wait_s": 0.0,
            "state": "good",
        },
    ]


def test_texts_are_left_out() -> None:
    """Where only counts go; names of hosts and profiles stay."""
    figures = {
        "failure": "arn:aws:iam::1:role/secret",
        "found_total": 3,
        "none": None,
        "pools": [{"origin": "h:1", "why": "x", "buckets": (1, 2, "secret")}],
        "slow_visits": [{"name": "s3.x", "stack": ("a:1 f",), "why": "x"}],
    }
    assert counts_only(figures) == {
        "found_total": 3,
        "none": None,
        "pools": [{"origin": "h:1", "buckets": [1, 2]}],
        "slow_visits": [{"name": "s3.x", "stack": ("a:1 f",)}],
    }


def test_the_status_of_all() -> None:
    """Added up, with a few figures of each, and without what only an administrator may see."""

    async def main() -> None:
        async with telling_worker() as (jobs, snapshot):
            await jobs.do("s3.get_object", **ON_KEY)
            one = await snapshot()
            other = {**one, "worker": 2}
            found = json.loads(json.dumps(whole_status([one, other])))
            assert found["jobs"]["jobs_total"] == 2
            assert found["pools"][0]["leases_total"] == 2
            assert [worker["number"] for worker in found["workers"]] == [1, 2]
            assert found["workers_num"] == 3
            assert found["profile_keys"]["default"]["found_total"] == 2
            (operation,) = found["operations"]
            assert (operation["operation"], operation["jobs_total"]) == ("s3.get_object", 2)
            assert "keys" not in found

    run(main)
