"""Several workers' figures as those of one."""

from botod.daemon.merging import merged


def test_figures_add_up() -> None:
    """Those that are no maximum, however deep they lie."""
    found = merged([{"jobs": {"jobs_total": 2, "a": 0.5}}, {"jobs": {"jobs_total": 3, "a": 1}}])
    assert found == {"jobs": {"jobs_total": 5, "a": 1.5}}


def test_the_greatest() -> None:
    """Of times that somebody waited or lives."""
    one = {"uptime_s": 5, "longest_s": 0.1, "oldest_wait_s": 3}
    other = {"uptime_s": 7, "longest_s": 0.05, "oldest_wait_s": 4}
    assert merged([one, other]) == {"uptime_s": 7, "longest_s": 0.1, "oldest_wait_s": 4}


def test_what_only_some_have() -> None:
    """Is what those have together."""
    found = merged([{"refused": {"peers": 1}}, {"refused": {"jobs": 2}}, {"refused": {"peers": 4}}])
    assert found == {"refused": {"peers": 5, "jobs": 2}}


def test_host_pools_are_one_for_each_origin() -> None:
    """In the order in which they were met; a host that is not well is told."""
    a1 = {"origin": "a", "slots_num": 2, "health": {"state": "good"}}
    b1 = {"origin": "b", "slots_num": 2, "health": {"state": "good"}}
    b2 = {"origin": "b", "slots_num": 3, "health": {"state": "resting"}}
    assert merged([{"pools": [a1, b1]}, {"pools": [b2]}, {"pools": []}]) == {
        "pools": [a1, {"origin": "b", "slots_num": 5, "health": {"state": "resting"}}]
    }


def test_host_pools_of_two_profiles_are_two() -> None:
    """They share nothing, though the host is one."""
    one, other = ({"origin": "a", "profile": name, "slots_num": 2} for name in ("x", "y"))
    assert merged([{"pools": [one, other]}, {"pools": [other]}]) == {
        "pools": [one, {"origin": "a", "profile": "y", "slots_num": 4}]
    }


def test_keys_are_as_good_as_the_worst() -> None:
    """What ends first, what failed for one; what has no end is no figure."""
    good = {"source": "env", "expires_in_s": 900.0, "failure": "", "found_total": 1}
    bad = {"source": "env", "expires_in_s": 60.0, "failure": "no answer", "found_total": 2}
    lasting = {"source": "env", "expires_in_s": None, "failure": "", "found_total": 1}
    assert merged([{"keys": {"x": good}}, {"keys": {"x": bad}}]) == {
        "keys": {"x": {**bad, "found_total": 3}}
    }
    assert merged([{"keys": {"x": lasting}}] * 2)["keys"]["x"]["expires_in_s"] is None
    assert merged([lasting, good])["expires_in_s"] == 900.0
    assert merged([lasting, good, bad])["expires_in_s"] == 60.0


def test_what_only_some_have_a_figure_for() -> None:
    """None says nothing, whoever says it, and hides nothing of the others."""
    parts = [{"part": None, "counts_num": None}, {"part": {"a": 1}, "counts_num": [1, 2]}]
    assert merged([*parts, *parts]) == {"part": {"a": 2}, "counts_num": [2, 4]}


def test_peers_stand_side_by_side() -> None:
    """Each is somebody's own."""
    assert merged([{"peers": [{"pid": 1}]}, {"peers": [{"pid": 1}, {"pid": 2}]}]) == {
        "peers": [{"pid": 1}, {"pid": 1}, {"pid": 2}]
    }


def test_buckets_are_added_one_by_one() -> None:
    """As histograms are."""
    assert merged([{"buckets_num": (1, 2)}, {"buckets_num": [10, 20]}]) == {"buckets_num": [11, 22]}


def test_names_and_what_has_no_bound() -> None:
    """The first one's; no bound is no bound."""
    found = merged([
        {"pid": 7, "version": "1", "slots_num": None},
        {"pid": 8, "version": "1", "slots_num": None},
    ])
    assert found == {"pid": 7, "version": "1", "slots_num": None}


def test_operations_and_errors_are_one_for_each_kind() -> None:
    """Numbers add up, and of what came last the youngest is told."""
    one = {"operation": "s3.x", "outcome": "throttled", "errors_total": 2, "newest_age_s": 7}
    other = {**one, "errors_total": 3, "newest_age_s": 5}
    third = {**one, "outcome": "overloaded"}
    assert merged([{"errors": [one, third]}, {"errors": [other]}]) == {
        "errors": [{**one, "errors_total": 5, "newest_age_s": 5}, third]
    }


def test_slow_visits_stand_side_by_side() -> None:
    """Each is one by itself, with its stack."""
    one = {"worker": 0, "at_s": 5.0, "name": "s3.x", "stack": ["a", "b"]}
    assert merged([{"slow_visits": [one]}, {"slow_visits": []}, {"slow_visits": [one]}]) == {
        "slow_visits": [one, one]
    }
