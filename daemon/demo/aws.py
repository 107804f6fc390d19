"""S3 and SQS for the demo and the tests: moto's server application, served with keep-alive.

moto's own server closes every connection after one request, so that no pool could show anything.

    python -m botod.daemon.demo.aws --port 0
"""

import argparse
import signal
import sys
from collections.abc import Callable, Iterable
from typing import Any

import waitress.server
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

THREADS = 48
"""A long poll holds one for as long as it waits; the end-to-end tests have some dozens at once."""


def application() -> Callable[[dict[str, Any], Any], Iterable[bytes]]:
    """moto as a WSGI application that sees paths as they were sent."""
    moto = DomainDispatcherApplication(create_backend_app)

    def with_raw_path(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        # moto reads keys with odd characters from here; without it, from a path decoded once.
        environ["RAW_URI"] = environ["REQUEST_URI"]
        answer: Iterable[bytes] = moto(environ, start_response)
        return answer

    return with_raw_path


def main() -> None:
    """Serve until SIGTERM; the first line on standard output says where."""
    parser = argparse.ArgumentParser(description="Serve moto's S3 and SQS.")
    parser.add_argument("--address", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    arguments = parser.parse_args()
    server = waitress.server.create_server(
        application(), host=arguments.address, port=arguments.port, threads=THREADS
    )
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(0))
    sys.stdout.write(f"listening on http://{server.effective_host}:{server.effective_port}\n")
    sys.stdout.flush()
    server.run()


if __name__ == "__main__":
    main()
