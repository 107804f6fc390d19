"""How series find their values."""

from typing import Any

from botod.daemon.metrics import reading

SNAPSHOT: dict[str, Any] = {
    "peers_num": 3,
    "is_ready": True,
    "profile_keys": {"a": {"expires_in_s": None}, "b": {"expires_in_s": 60.0}},
    "status": {
        "retries": {"h:1": {"by_cause": {"keys": 1, "failed": 2}}},
        "pools": [
            {
                "origin": "h:1",
                "profile": "a",
                "sockets": {"closed_total": {"server": 4}},
                "health": {"state": "probed"},
            },
            {
                "origin": "h:2",
                "profile": "a",
                "sockets": {"closed_total": {}},
                "health": {"state": "good"},
            },
        ],
        "visits": {"buckets_num": [1, 2], "total_s": 3.0},
    },
    "jobs_done": {
        "services": {
            "s3": {"batches": {"counts": [0, 0], "total": 0.0}},
            "sqs": {"batches": {"counts": [0, 1], "total": 2.0}},
        }
    },
}


def test_numbers() -> None:
    """One without labels; true is 1."""
    assert list(reading.at("peers_num")(SNAPSHOT)) == [((), 3.0)]
    assert list(reading.at("is_ready")(SNAPSHOT)) == [((), 1.0)]


def test_what_is_not_known_has_no_sample() -> None:
    """Keys that stay good expire never, which no number says."""
    read = reading.each("profile_keys", of=("expires_in_s",))
    assert list(read(SNAPSHOT)) == [(("b",), 60.0)]


def test_mappings_in_mappings() -> None:
    """Both keys are labels."""
    read = reading.each_of_each("status", "retries", of=("by_cause",))
    assert list(read(SNAPSHOT)) == [(("h:1", "keys"), 1.0), (("h:1", "failed"), 2.0)]


def test_hosts() -> None:
    """By endpoint and profile; one that is probed rests still."""
    assert list(reading.closed_sockets(SNAPSHOT)) == [(("h:1", "a", "server"), 4.0)]
    assert list(reading.resting(SNAPSHOT)) == [(("h:1", "a"), 1.0), (("h:2", "a"), 0.0)]


def test_histograms() -> None:
    """Counts by bucket and their total; of services that never sent a batch there is none."""
    assert list(reading.visits(SNAPSHOT)) == [((), {"counts": [1, 2], "total": 3.0})]
    assert [labels for labels, _counted in reading.batches(SNAPSHOT)] == [("sqs",)]
