"""The dashboard and the alert rules; e2e/test_metrics.py looks for their series in use."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from botod.daemon.metrics.series import SERIES

ETC = Path(__file__).parents[2] / "etc"
DASHBOARD: dict[str, Any] = json.loads((ETC / "grafana-dashboard.json").read_text(encoding="utf-8"))
ALERTS = yaml.safe_load((ETC / "botod-alerts.yml").read_text(encoding="utf-8"))
RULES: list[dict[str, Any]] = [rule for group in ALERTS["groups"] for rule in group["rules"]]
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
LABELS = {label for one in SERIES for label in one.labels} | {"worker", "instance", "le", "job"}
GROUPED = re.compile(r"\bby \(([^)]*)\)")
SELECTED = re.compile(r"(\w+)(?:=~|!=|=)\"")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_a_rule_says_what_wakes_whom_and_why(rule: dict[str, Any]) -> None:
    """A summary of one line, a reason, and who is to look."""
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert rule["annotations"]["description"].endswith(".")
    assert "instance" in rule["annotations"]["summary"]
    assert rule["expr"].count("(") == rule["expr"].count(")")


def test_a_rolling_restart_wakes_nobody() -> None:
    """It begins each worker anew once, however many there are; counted together they are many."""
    (rule,) = [rule for rule in RULES if rule["alert"] == "BotodRestarts"]
    assert rule["expr"].startswith("max by (instance) (resets(")


def test_nothing_is_there_twice() -> None:
    """Names of rules, and panels' ids."""
    assert len({rule["alert"] for rule in RULES}) == len(RULES)
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)


def test_each_series_of_jobs_hosts_and_peers_is_shown_or_watched() -> None:
    """What nobody looks at is not counted for nothing: most of all that there is."""
    asked = json.dumps([PANELS, RULES])
    shown = [one for one in SERIES if one.name in asked]
    assert len(shown) > 2 / 3 * len(SERIES)


@pytest.mark.parametrize(
    "expression",
    [
        *(rule["expr"] for rule in RULES),
        *(target["expr"] for panel in PANELS for target in panel["targets"]),
    ],
)
def test_labels_are_those_that_there_are(expression: str) -> None:
    """In selectors and where things are added up."""
    named = {label for group in GROUPED.findall(expression) for label in group.split(", ")}
    assert named | set(SELECTED.findall(expression)) <= LABELS
    # Counters of workers are looked at one by one before they are added up.
    assert not re.search(r"rate\(sum", expression)
