"""Which rows and columns an answer has."""

from typing import Any

from botod.daemon.show_tables import COLUMNS, columns_of, rows_of


def answer(*rows: dict[str, Any]) -> dict[str, Any]:
    """Of a worker each."""
    return {"workers": [{"worker": n, "rows": [row]} for n, row in enumerate(rows)], "silent": []}


def setting(section: str, name: str, value: Any) -> dict[str, Any]:
    """The row of one."""
    return {"section": section, "name": name, "value": value, "in_file": value, "waits_for": ""}


def test_rows_of_all_workers() -> None:
    """Each says whose it is; a column tells where there is another worker, silent or not."""
    found = rows_of("limits", answer({"limit": "jobs"}, {"limit": "jobs"}))
    assert [row["worker"] for row in found] == [0, 1]
    titles = [title for title, _tell in columns_of("limits", answer({}, {}))]
    assert titles[0] == "worker"
    assert columns_of("limits", answer({})) == list(COLUMNS["limits"][1:])
    one_silent = answer({}) | {"silent": [{"worker": 1, "why": "no answer"}]}
    assert columns_of("limits", one_silent)[0][0] == "worker"


def test_shares_of_a_host_s_setting_are_added_up() -> None:
    """What is each worker's own, or a profile's, is not; `jobs` of another section neither."""
    for section, name, whole in (
        ("limits", "jobs", 4),
        ("limits", "in_flight_per_peer", 2),
        ("pool", "slots_per_host", 4),
        ("profile.default", "slots_per_host", 4),
        ("daemon", "jobs", 2),
    ):
        (row,) = rows_of("config", answer(*[setting(section, name, 2)] * 2))
        assert (row["value"], row["in_file"]) == (whole, whole), (section, name)


def test_what_the_status_has() -> None:
    """Pools and peers come from there as they are."""
    assert rows_of("peers", {"peers": [{"id": "p0-1"}]}) == [{"id": "p0-1"}]
