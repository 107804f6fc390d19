"""A frame of `botod top`, from two statuses."""

from typing import Any

import pytest

from botod.daemon.top_frame import Sample, frame, shares


def pool(origin: str, leases: int, held_s: float, waited_s: float) -> dict[str, Any]:
    """A host's figures."""
    return {
        "origin": origin, "profile": "default", "slots_num": 64, "leased_num": 2,
        "waiting_num": 1, "leases_total": leases, "held_s_total": held_s,
        "waited_s_total": waited_s, "sockets": {"open_num": 3}, "health": {"state": "good"},
    }  # fmt: skip


def sample(at_s: float, jobs_num: int, *, pools: list[dict[str, Any]], **more: Any) -> Sample:
    """What a daemon said."""
    status = {
        "version": "1.2.3", "uptime_s": at_s, "buffered_bytes": 7, "pools": pools,
        "jobs": {"running_num": 4, "polling_num": 1, "jobs_total": jobs_num, "failed_total": 0},
        "visits": {"visits_num": jobs_num * 5, "longest_s": 0.02, "over_10ms_num": 0},
        "total": {"slots_num": None, "leased_num": 2},
        "refused_by_limit": {},
        "peers": [
            {"id": "p0-1", "pid": 11, "uid": 12, "in_flight_num": 1, "unread_bytes": 0,
             "requests_total": jobs_num},
        ],
    }  # fmt: skip
    return Sample(at_s, status | more)


BEFORE = sample(10.0, 100, pools=[pool("https://a:443", 50, 5.0, 1.0)])
NOW = sample(
    12.0, 300, pools=[pool("https://a:443", 150, 7.0, 1.5), pool("https://b:443", 900, 9.0, 0.0)]
)


def test_rates_and_times_of_the_interval() -> None:
    """A second each, and a request each; a host that is new counts from nought."""
    lines = frame(BEFORE, NOW, columns=200, lines=50)
    assert lines[:4] == [
        "botod 1.2.3, up 12 s, 1 worker, 1 peers",
        "jobs    4 running, 1 of them polls; 100.0/s, 0.0/s failed, 0.0/s refused",
        "visits  500.0/s, 0.0/s over 10 ms; longest ever 20.0 ms",
        "slots   2 in use, no bound; 7 bytes held for peers",
    ]
    busiest, other = (line.split() for line in lines if line.startswith("https"))
    assert (busiest[0], busiest[10], busiest[12], busiest[14]) == (
        "https://b:443", "450.0", "10.0", "0.0",
    )  # fmt: skip
    assert (other[0], other[10], other[12], other[14]) == ("https://a:443", "50.0", "20.0", "5.0")
    assert any(line.startswith("p0-1 |") and "100.0" in line for line in lines)


def test_nothing_happened() -> None:
    """No request has no time; one that counted less before, by another worker, no negative rate."""
    lines = frame(NOW, sample(13.0, 100, pools=BEFORE.status["pools"]), columns=200, lines=50)
    assert " 0.0/s, 0.0/s failed" in lines[1]
    (line,) = (line for line in lines if line.startswith("https"))
    assert [cell.strip() for cell in line.split("|")][5:8] == ["0.0", "", ""]


def test_a_worker_that_is_silent_is_named() -> None:
    """Its figures are not in the others'."""
    silent = [{"worker": 1, "why": "no answer"}]
    now = sample(12.0, 300, pools=[], silent=silent, workers=[{}])
    assert frame(BEFORE, now, columns=80, lines=9)[1] == "worker 1 does not answer: no answer"


@pytest.mark.parametrize("lines", [1, 5, 10, 24])
@pytest.mark.parametrize("columns", [10, 80])
def test_it_fits(columns: int, lines: int) -> None:
    """Whatever the terminal's size."""
    peers = [{**BEFORE.status["peers"][0], "id": f"p0-{n}"} for n in range(100)]
    now = sample(12.0, 300, pools=[*NOW.status["pools"]] * 10, peers=peers)
    found = frame(BEFORE, now, columns=columns, lines=lines)
    assert len(found) <= lines
    assert max(map(len, found)) <= columns
    if lines == 24:
        assert len(found) == 24


@pytest.mark.parametrize(
    ("wanted", "room", "given"),
    [
        ([5, 5], 20, [5, 5]),
        ([100, 2], 10, [8, 2]),
        ([100, 100, 1], 9, [4, 4, 1]),
        ([3, 3], 0, [0, 0]),
        ([], 9, []),
    ],
)
def test_tables_share_the_room(wanted: list[int], room: int, given: list[int]) -> None:
    """What one does not need is the others'."""
    assert shares(wanted, room) == given
