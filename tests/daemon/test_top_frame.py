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
        "refused_by_limit": {}, "operations": [], "slow_visits": [],
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


def operation(name: str, jobs: int, failed: int, took_s: float, **took: int) -> dict[str, Any]:
    """An operation's figures. took: by bound in ms, such as b5."""
    return {
        "operation": name, "jobs_total": jobs, "failed_total": failed, "took_s_total": took_s,
        "took_by_s": {str(int(bound[1:]) / 1000): number for bound, number in took.items()},
    }  # fmt: skip


def cells(line: str) -> list[str]:
    """Of a row."""
    return [cell.strip() for cell in line.split("|")]


def test_operations_of_the_interval() -> None:
    """The one that took most time first; one of which nothing ended is not there."""
    old = operation("s3.get_object", 10, 1, 1.0, b5=10)
    before = sample(10.0, 0, pools=[], operations=[old, operation("s3.head_bucket", 5, 0, 1.0)])
    now = sample(12.0, 0, pools=[], operations=[
        operation("s3.head_bucket", 5, 0, 1.0),
        operation("s3.get_object", 30, 3, 1.2, b5=29, b100=1),
        operation("sqs.receive_message", 2, 0, 10.0, b5000=2),
        operation("sqs.send_message", 4, 4, 0.0),
    ])  # fmt: skip
    lines = frame(before, now, columns=200, lines=50)
    first = next(number for number, line in enumerate(lines) if line.startswith("operation"))
    assert cells(lines[first]) == ["operation", "jobs/s", "failed/s", "mean ms", "95 % within ms"]
    assert [cells(line) for line in lines[first + 2 : first + 5]] == [
        ["sqs.receive_message", "1.0", "0.0", "5000.0", "5000.0"],
        ["s3.get_object", "10.0", "1.0", "10.0", "5.0"],
        ["sqs.send_message", "2.0", "2.0", "", ""],
    ]
    assert "head_bucket" not in "\n".join(lines)


def test_an_operation_of_a_worker_that_came_anew() -> None:
    """It counted less: nothing is negative."""
    before = sample(10.0, 0, pools=[], operations=[operation("s3.x", 30, 3, 1.2, b5=30)])
    now = sample(12.0, 0, pools=[], operations=[operation("s3.x", 2, 0, 0.1, b5=2)])
    assert not any(line.startswith("s3.x") for line in frame(before, now, columns=99, lines=50))


def test_the_last_slow_visits() -> None:
    """The last first, with where each was; without any there is no table."""
    slow = [
        {"name": f"s3.x{number}", "at_s": 1000.0 + number, "wall_s": 0.25, "cpu_s": 0.1,
         "worker": 0, "stack": ["a.py:1 f", "b.py:2 g"]}
        for number in range(5)
    ]  # fmt: skip
    now = sample(12.0, 300, pools=[], slow_visits=slow)
    lines = frame(BEFORE, now, columns=200, lines=50)
    first = next(number for number, line in enumerate(lines) if line.startswith("slow visit"))
    rows = [cells(line) for line in lines[first + 2 : first + 5]]
    assert [row[0] for row in rows] == ["s3.x4", "s3.x3", "s3.x2"]
    assert rows[0][2:] == ["250.0", "100.0", "b.py:2 g"]
    assert lines[first + 5] == ""
    assert not any(
        line.startswith("slow visit") for line in frame(BEFORE, NOW, columns=99, lines=50)
    )


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
        ([100, 0, 100, 100], 11, [4, 0, 4, 3]),
        ([3, 3], 0, [0, 0]),
        ([], 9, []),
    ],
)
def test_tables_share_the_room(wanted: list[int], room: int, given: list[int]) -> None:
    """What one does not need is the others'."""
    assert shares(wanted, room) == given
