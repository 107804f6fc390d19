"""boto's own SimpleDB tests, over stock boto, against the SimpleDB of the demo.

boto's wheel has no tests, so its source distribution is fetched through pip, as pip is configured
on this machine, and kept in $BOTOD_TEST_CACHE. One of the tests is about certificates: the server
speaks TLS here, and boto checks the throwaway certificate that it shows.
"""

import contextlib
import hashlib
import json
import os
import ssl
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from botod.daemon.demo.simpledb import SimpleDBServer, serving

from boto import sdb

SDIST = "boto-2.49.0.tar.gz"
SHA256 = "ea0d3b40a2d852767be77ca343b58a9e3a4b00d9db440efb8da74b4e58025e5a"
CACHE = Path(os.environ.get("BOTOD_TEST_CACHE") or Path(sys.prefix, "cache"))
DOWNLOAD_TIMEOUT_S = 300.0
RUN_TIMEOUT_S = 120.0

# test_sequence.py counts with conditional puts. The other tests of tests/db are in Python 2 only:
# they print, or have hmac digest text.
PARTS = ("tests/__init__.py", "tests/integration/__init__.py", "tests/integration/sdb/")
SEQUENCES = "tests/db/test_sequence.py"

EXPECTED = {
    "tests/integration/sdb/test_cert_verification.py::SDBCertVerificationTest::test_certs",
    "tests/integration/sdb/test_connection.py::SDBConnectionTest::test_1_basic",
    f"{SEQUENCES}::TestDBHandler::test_sequence_generator_no_rollover",
    f"{SEQUENCES}::TestDBHandler::test_sequence_generator_with_rollover",
    f"{SEQUENCES}::TestDBHandler::test_sequence_simple_int",
    f"{SEQUENCES}::TestDBHandler::test_sequence_simple_string",
    f"{SEQUENCES}::TestDBHandler::test_fib",
    f"{SEQUENCES}::TestDBHandler::test_sequence_fib",
    f"{SEQUENCES}::TestDBHandler::test_sequence_string",
}

RUNNER = """
import json, sys, time
import boto.connection, pytest

port, report, *paths = sys.argv[1:]
boto.connection.PORTS_BY_SECURITY = {True: int(port)}
time.sleep = lambda seconds: None  # they wait for reads to become consistent; ours always are

class Outcomes(dict):
    def pytest_runtest_logreport(self, report):
        if report.when == "call" or not report.passed:
            self[report.nodeid] = report.outcome

outcomes = Outcomes()
options = ["-c", "/dev/null", "--rootdir=.", "-p", "no:cacheprovider", "-o", "python_classes=Test*"]
pytest.main([*options, *paths], plugins=[outcomes])
with open(report, "w") as file:
    json.dump(outcomes, file)
"""


@pytest.fixture(scope="module")
def sdist() -> Path:
    """boto's source distribution, checked; fetched once."""
    path = CACHE / SDIST
    if not path.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        _fetch()
    assert hashlib.sha256(path.read_bytes()).hexdigest() == SHA256
    return path


def _fetch() -> None:
    requirements = CACHE / "boto-sdist.txt"
    # With the hash there, pip checks it before it runs the setup.py inside.
    requirements.write_text(f"boto==2.49.0 --hash=sha256:{SHA256}\n")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary=boto"]
    subprocess.run(
        [*command, "--dest", str(CACHE), "--requirement", str(requirements)],
        check=True,
        timeout=DOWNLOAD_TIMEOUT_S,
    )


@pytest.fixture
def source(sdist: Path, tmp_path: Path) -> Path:
    """The tests alone, without the boto beside them: they are to run over the installed one."""
    root = "boto-2.49.0/"
    with tarfile.open(sdist) as archive:
        wanted = [
            member
            for member in archive.getmembers()
            if member.name.removeprefix(root).startswith((*PARTS, SEQUENCES))
        ]
        archive.extractall(tmp_path, wanted, filter="data")
    return tmp_path / root


@contextlib.contextmanager
def served(folder: Path) -> Iterator[SimpleDBServer]:
    """The server over TLS, and in the folder what boto has to know to find it."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    authority.cert_pem.write_to_path(folder / "ca.pem")
    regions = {region.name: "localhost" for region in sdb.regions()}
    Path(folder, "endpoints.json").write_text(json.dumps({"sdb": regions}))
    Path(folder, "boto.cfg").write_text(
        "[Credentials]\naws_access_key_id = an-access-key\naws_secret_access_key = a-secret-key\n"
        f"[Boto]\nnum_retries = 0\nca_certificates_file = {folder}/ca.pem\n"
        f"https_validate_certificates = True\nendpoints_path = {folder}/endpoints.json\n"
    )
    with serving("an-access-key", "a-secret-key", tls=context) as server:
        yield server


def test_all_of_botos_own_simpledb_tests_pass(source: Path) -> None:
    """Both of boto's integration tests of SimpleDB, and the seven of its sequences, pass."""
    report = source / "outcomes.json"
    with served(source) as server:
        arguments = [str(server.server_port), str(report), "tests/integration/sdb", SEQUENCES]
        process = subprocess.run(
            [sys.executable, "-c", RUNNER, *arguments],
            cwd=source,
            env={"PATH": os.environ["PATH"], "BOTO_CONFIG": str(source / "boto.cfg")},
            capture_output=True,
            text=True,
            timeout=RUN_TIMEOUT_S,
            check=False,
        )
    assert report.exists(), process.stdout + process.stderr
    outcomes = json.loads(report.read_text())
    assert outcomes == dict.fromkeys(EXPECTED, "passed"), process.stdout + process.stderr
    assert len(outcomes) == 9
    assert server.connections_total > len(sdb.regions()), "each region was called over TLS"
