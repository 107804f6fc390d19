"""The page for a person, as a browser shows it, beside what /status.json says."""

import contextlib
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from botod.ipc import RpcError
from support.chromium import PROGRAMS, Browser, running_browser
from support.daemons import BOUND_S, Daemon, endpoints, running_daemon, wait_until
from support.expositions import ask
from support.http_server import Exchange, http_server
from support.ports import free_port
from support.services import reply, s3_error
from support.tools import any_tool

pytestmark = pytest.mark.long

HOSTILE = '<img src=x onerror=alert(1)> & "co"'
"""The name of a profile: nobody says that it may not be written so."""

EXPECTED = ("a visit of", "keys of profile")

JOBS = "#operations td[data-cell=jobs]"


def aws(exchange: Exchange) -> None:
    """Has one object."""
    if exchange.target == "/photos/cat":
        reply(b"miaow")(exchange)
    else:
        s3_error("NoSuchKey", "None", "404 Not Found")(exchange)


@contextlib.contextmanager
def under_load(daemon: Daemon) -> Iterator[None]:
    """A peer asks for an object that is there, and for one that is not, until the block ends."""
    is_over = threading.Event()

    def load() -> None:
        with daemon.connect() as peer:
            while not is_over.wait(0.02):
                peer.call("s3.get_object", {"Bucket": "photos", "Key": "cat"})
                with contextlib.suppress(RpcError):
                    peer.call("s3.get_object", {"Bucket": "photos", "Key": "dog"})

    thread = threading.Thread(target=load)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join(BOUND_S)
        assert not thread.is_alive()


def status(port: int) -> dict[str, Any]:
    """What the page is made of."""
    found: dict[str, Any] = json.loads(ask(port, "/status.json")[1])
    return found


def cells(browser: Browser, table: str) -> list[list[str]]:
    """The texts of a table's rows."""
    rows = f"[...document.querySelectorAll('#{table} tbody tr')]"
    found: list[list[str]] = browser.value(
        f"{rows}.map(row => [...row.children].map(cell => cell.textContent))"
    )
    return found


def has_points(plot: str, curve: str) -> str:
    """In JavaScript: whether a curve has some points."""
    d = f"document.querySelector('#{plot} path.{curve}')?.getAttribute('d') ?? ''"
    return f"({d}).split(/[ML]/).length > 3"


@pytest.fixture(scope="module")
def shared_browser() -> Iterator[Browser]:
    """One without a window."""
    with running_browser(any_tool(*PROGRAMS)) as one:
        yield one


@pytest.fixture
def browser(shared_browser: Browser) -> Browser:
    """It, with nothing of another test's page."""
    shared_browser.open("about:blank", width=400, height=400)
    shared_browser.complaints.clear()
    return shared_browser


@pytest.mark.parametrize("workers", [1, 2])
def test_the_page_shows_what_the_status_says(
    workers: int, browser: Browser, tmp_path: Path
) -> None:
    """Its plots have points, its numbers are those of the status, and nothing is complained of.

    What others may name is shown as text, and a daemon that ends is told.
    """
    port = free_port()
    with http_server(aws) as server:
        config = endpoints(server.port) | {
            "metrics": {"port": port},
            "daemon": {"workers": workers, "visit_warn_s": 0.001},
        }
        config["profile"][HOSTILE] = {"region": "eu-central-1"}
        with running_daemon(config, expected=EXPECTED) as daemon:
            with under_load(daemon):
                wait_until(lambda: len(status(port)["history"]) >= 3, daemon)
                wait_until(lambda: bool(status(port)["slow_visits"]), daemon)
                browser.open(f"http://127.0.0.1:{port}/", width=1100, height=900)
                browser.wait_for(f"document.querySelector('{JOBS}')")
                for plot in ("throughput", "latency"):
                    for curve in ("first", "second"):
                        browser.wait_for(has_points(plot, curve))
            shown = f"Number(document.querySelector('{JOBS}')?.textContent.replaceAll(',', ''))"
            told = status(port)
            (operation,) = told["operations"]
            browser.wait_for(f"{shown} === {operation['jobs_total']}")
            assert operation["jobs_total"] == len(server.requests)
            _compare(browser, told)
            problems = browser.value("document.querySelector('#problems').textContent")
            assert f"Profile {HOSTILE} has no keys." in problems
            assert browser.value("document.querySelectorAll('img').length") == 0
            picture = browser.picture()
            (tmp_path / "page.png").write_bytes(picture)
            assert picture.startswith(b"\x89PNG")
            assert browser.complaints == []
            assert daemon.stop() == 0
            browser.wait_for("document.body.className === 'lost'")
            assert "does not answer" in browser.value(
                "document.querySelector('#state').textContent"
            )


def _compare(browser: Browser, told: dict[str, Any]) -> None:
    """The page's cells beside the status."""

    def number(value: int) -> str:
        return f"{value:,}"

    (operation,) = told["operations"]
    row = cells(browser, "operations")[0]
    assert row[0] == "s3.get_object"
    assert row[2:4] == [number(operation["jobs_total"]), number(operation["failed_total"])]
    mean_ms = operation["took_s_total"] / sum(operation["took_by_s"].values()) * 1000
    assert float(row[4]) == pytest.approx(mean_ms, abs=0.051)
    (pool,) = told["pools"]
    row = cells(browser, "pools")[0]
    assert row[:3] == [pool["origin"], "default", number(pool["slots_num"])]
    assert row[6:] == [number(pool["leases_total"]), number(pool["sockets"]["open_num"]), "good"]
    (error,) = told["errors"]
    assert cells(browser, "errors")[0][:3] == [
        "s3.get_object", "client_error", number(error["errors_total"]),
    ]  # fmt: skip
    assert error["errors_total"] == operation["failed_total"] == operation["jobs_total"] // 2
    assert [row[:2] for row in cells(browser, "workers")] == sorted(
        [str(one["number"]), str(one["pid"])] for one in told["workers"]
    )
    profiles = [row[0] for row in cells(browser, "keys")]
    assert sorted(profiles) == sorted(told["profile_keys"])
    assert HOSTILE in profiles
    slow = cells(browser, "slow")
    assert len(slow) == len(told["slow_visits"]) > 0
    newest = max(told["slow_visits"], key=lambda visit: visit["at_s"])
    assert slow[0][0] == newest["name"]
    stack = newest["stack"] or ["with its end, unseen"]
    assert slow[0][5] == stack[-1] + "\n".join(newest["stack"])
    words = browser.value("document.querySelector('#throughput svg').getAttribute('aria-label')")
    assert words.startswith("Jobs a second over the last ")
    assert "failed: last " in words


@pytest.mark.parametrize("is_dark", [False, True])
def test_it_can_be_read(is_dark: bool, browser: Browser) -> None:
    """By day and by night: texts stand out as WCAG 2.1 wants, 4.5 to 1; and on a narrow screen.

    Each table's columns have heads, and each plot a text.
    """
    port = free_port()
    with running_daemon({"metrics": {"port": port}}):
        browser.open(f"http://localhost:{port}/", width=400, height=800, is_dark=is_dark)
        browser.wait_for("document.querySelector('#workers td[data-cell=pid]')")
        assert browser.value("document.documentElement.scrollWidth") <= 400
        colours = browser.value(
            "['--page', '--text', '--quiet', '--first', '--second', '--bad', '--good'].map("
            "name => getComputedStyle(document.documentElement).getPropertyValue(name))"
        )
        page, *others = map(_luminance, colours)
        assert (page < 0.1) == is_dark
        for colour in others:
            assert (max(page, colour) + 0.05) / (min(page, colour) + 0.05) > 4.5
        assert browser.value("[...document.querySelectorAll('th')].every(head => head.scope)")
        assert browser.value(
            "[...document.querySelectorAll('svg')].every("
            "plot => plot.getAttribute('role') === 'img' && plot.getAttribute('aria-label'))"
        )
        assert browser.complaints == []


def _luminance(colour: str) -> float:
    """As WCAG has it, of #rrggbb."""
    parts = [int(colour.strip()[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_nothing_flickers(browser: Browser) -> None:
    """What has not changed is left as it is: two more answers of an idle daemon change little."""
    port = free_port()
    with running_daemon({"metrics": {"port": port}}):
        browser.open(f"http://localhost:{port}/", width=900, height=800)
        browser.wait_for("document.querySelector('#workers td[data-cell=pid]')")
        browser.value(
            "window.made = 0; new MutationObserver(found => {"
            "for (const one of found) for (const node of [...one.addedNodes, ...one.removedNodes])"
            " window.made += node.nodeType === Node.ELEMENT_NODE ? 1 : 0;"
            "}).observe(document.body, {childList: true, subtree: true})"
        )
        about = browser.value("document.querySelector('#about').textContent")
        for _ in range(2):
            browser.wait_for(f"document.querySelector('#about').textContent !== {about!r}")
            about = browser.value("document.querySelector('#about').textContent")
        assert browser.value("window.made") == 0
