"""Builds the distribution botod-compiled of the sources beside it; docs/install.md has how to.

What pyproject.toml cannot say: which modules are compiled, and of what they were made.
"""

import hashlib
import json
import tomllib
from pathlib import Path

from mypyc.build import mypycify
from setuptools import Extension, setup

MODULES = """
daemon/admission daemon/bodies daemon/budget daemon/control daemon/held
daemon/intake daemon/job daemon/job_line daemon/ledger daemon/line_writer daemon/log_format
daemon/metrics/histogram daemon/metrics/job_figures daemon/metrics/outcomes daemon/names
daemon/options daemon/policy daemon/refresher daemon/roll daemon/runner daemon/runs
daemon/services/answers daemon/services/checksums
daemon/services/operation daemon/services/query daemon/services/resources daemon/services/s3
daemon/services/s3_headers daemon/services/s3_objects daemon/services/sdb_rows
daemon/services/shapes daemon/services/sqs daemon/services/sqs_digests
daemon/services/sqs_messages daemon/services/sqs_shapes daemon/units daemon/upstreams
daemon/verdicts daemon/work daemon/worker
ipc/answering ipc/controls ipc/envelope ipc/exchange ipc/exchanges ipc/framing ipc/in_flight
ipc/json_text ipc/limits ipc/markers ipc/outbox ipc/patience ipc/peer ipc/protocol ipc/session
ipc/stream_table ipc/writing
pool/bridge pool/canonical pool/connection pool/deadlines pool/feedback pool/handle pool/health
pool/host_pool pool/pieces pool/pool pool/queue pool/ready pool/request pool/response pool/sockets
pool/terms pool/times pool/total pool/tracks pool/transfer pool/upload pool/visits
"""
"""What a GET, a PUT, a SendMessage or a ping goes through once the daemon is warm.

Left to the interpreter are modules whose classes derive from boto's, Tornado's or asyncio's, and
modules in which tests replace something. A class is compiled with all that derive from it, or not
at all: no class that is interpreted can derive from one that is compiled.
"""

HERE = Path(__file__).parent
MADE_OF = HERE / "botod/compiled/made_of.json"
PATHS = [f"botod/{module}.py" for module in MODULES.split()]


def digests() -> dict[str, str]:
    """Of each module's source, by the module's name."""
    return {
        path.removesuffix(".py").replace("/", "."): hashlib.sha256(
            (HERE / path).read_bytes()
        ).hexdigest()
        for path in PATHS
    }


def extensions() -> list[Extension]:
    """What mypyc makes of them, in the folder that is the current one: it has the sources in it."""
    made: list[Extension] = mypycify([
        "--namespace-packages",
        "--explicit-package-bases",
        "--ignore-missing-imports",
        *PATHS,
    ])
    for extension in made:
        # Not in botod's own packages, where every program that imports the client would load it.
        extension.name = f"botod.compiled.lib.{extension.name}"
        extension.extra_link_args.append("-s")
    return made


if __name__ == "__main__":
    with (HERE.parent / "pyproject.toml").open("rb") as file:
        version = tomllib.load(file)["project"]["version"]
    MADE_OF.write_text(json.dumps(digests()))
    setup(
        version=version,
        install_requires=[f"botod=={version}"],
        packages=["botod.compiled"],
        package_data={"botod.compiled": ["made_of.json"]},
        ext_modules=extensions(),
    )
