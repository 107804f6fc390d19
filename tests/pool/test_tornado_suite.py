"""Tornado's own tests of its clients, over CurlClient and over stock.

CurlClient changes what `fetch` stands on: the loop integration, how transfers end, the timer. Each
client runs the tests in a process of its own: they look it up by its name in
`tornado.curl_httpclient`, and their log lines and warnings are theirs.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import certifi
import pytest

RUN_TIMEOUT_S = 120.0

COMMON = "tornado.test.httpclient_test.HTTPClientCommonTestCase."
CURLS = "tornado.test.curl_httpclient_test."
COMMON_OF_CURL = f"{CURLS}CurlHTTPClientCommonTestCase."

RUNNER = """
import json, logging, sys, unittest
import tornado.curl_httpclient
from tornado.httpclient import AsyncHTTPClient

report, ca_file, *names = sys.argv[1:]
if ca_file:
    from botod.pool import CurlClient

    class Client(CurlClient):
        def initialize(self, **options):
            super().initialize(ca_file=ca_file, **options)

    tornado.curl_httpclient.CurlAsyncHTTPClient = Client
AsyncHTTPClient.configure(tornado.curl_httpclient.CurlAsyncHTTPClient)
logging.getLogger("tornado.access").setLevel(logging.CRITICAL)  # as Tornado's own runner does

outcomes, clients = {}, {}

class Result(unittest.TextTestResult):
    def startTest(self, test):
        outcomes[test.id()] = "passed"
        super().startTest(test)

    def stopTest(self, test):
        clients[test.id()] = type(getattr(test, "http_client", None)).__name__
        super().stopTest(test)

    def addError(self, test, error):
        outcomes[test.id()] = "failed"
        super().addError(test, error)

    def addFailure(self, test, error):
        outcomes[test.id()] = "failed"
        super().addFailure(test, error)

    def addSubTest(self, test, subtest, error):
        if error is not None:
            outcomes[test.id()] = "failed"
        super().addSubTest(test, subtest, error)

    def addSkip(self, test, reason):
        outcomes[test.id()] = "skipped"
        super().addSkip(test, reason)

suite = unittest.defaultTestLoader.loadTestsFromNames(names)
unittest.TextTestRunner(resultclass=Result).run(suite)
with open(report, "w") as file:
    json.dump([outcomes, clients], file)
"""


class Run(NamedTuple):
    """What came of each test, by its id, the class of its client, and all that was printed."""

    outcomes: dict[str, str]
    clients: dict[str, str]
    printed: str


def run_over(ca_file: str, report: Path) -> Run:
    """Run the tests, over CurlClient with this `ca_file`, or over stock without one."""
    names = (COMMON.rstrip("."), CURLS.rstrip("."))
    process = subprocess.run(
        [sys.executable, "-c", RUNNER, str(report), ca_file, *names],
        capture_output=True,
        text=True,
        timeout=RUN_TIMEOUT_S,
        check=False,
    )
    printed = process.stdout + process.stderr
    assert report.exists(), printed
    return Run(*json.loads(report.read_text()), printed)


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Tornado's tests over Tornado's own client."""
    return run_over("", tmp_path_factory.mktemp("stock") / "outcomes.json")


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Tornado's tests over the pool's client."""
    return run_over(certifi.where(), tmp_path_factory.mktemp("pool") / "outcomes.json")


@pytest.mark.long
def test_every_outcome_over_the_pool_is_that_over_stock(stock: Run, pool: Run) -> None:
    """The same tests ran, and each passes, fails or is skipped as with CurlAsyncHTTPClient."""
    assert pool.outcomes == stock.outcomes, pool.printed


@pytest.mark.long
def test_no_test_of_the_curl_client_fails_over_the_pool(pool: Run) -> None:
    """All of tornado.test.curl_httpclient_test pass, the common tests among them."""
    outcomes = {test: out for test, out in pool.outcomes.items() if test.startswith(CURLS)}
    assert set(outcomes.values()) == {"passed"}, pool.printed
    assert sum(1 for test in outcomes if test.startswith(COMMON_OF_CURL)) >= 40
    assert len(outcomes) >= 60


@pytest.mark.parametrize("tests", [COMMON, COMMON_OF_CURL, f"{CURLS}CurlHTTPClientTestCase."])
def test_the_client_under_test_is_the_one_that_was_meant(stock: Run, pool: Run, tests: str) -> None:
    """Tornado's tests had CurlClient in the one run, and CurlAsyncHTTPClient in the other."""
    for run, name in ((pool, "Client"), (stock, "CurlAsyncHTTPClient")):
        clients = {client for test, client in run.clients.items() if test.startswith(tests)}
        assert clients == {name}
