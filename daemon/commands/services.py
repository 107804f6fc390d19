"""`botod services [SERVICE[.OPERATION]]`: what there is to ask for, and what it takes."""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from botod.daemon.services import CATALOG, SERVICES
from botod.daemon.services.catalog import NoSuchOperation
from botod.daemon.services.operation import CannotBeCarried, Operation

EXIT_USAGE = 2


def main(argv: Sequence[str]) -> int:
    arguments = parser().parse_args(argv)
    service, _dot, operation = arguments.name.partition(".")
    try:
        told = _told(service, operation)
    except (NoSuchOperation, CannotBeCarried) as error:
        sys.stderr.write(f"botod: {error}\n")
        return EXIT_USAGE
    lines = [json.dumps(told, indent=2)] if arguments.json else report(told)
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


def parser() -> argparse.ArgumentParser:
    """What may be said."""
    said = argparse.ArgumentParser(
        prog="botod services", description="List services, operations and their parameters."
    )
    said.add_argument("name", nargs="?", default="", metavar="SERVICE[.OPERATION]")
    said.add_argument("--json", action="store_true", help="the same, as JSON")
    return said


def report(told: Any) -> Iterator[str]:
    """The lines a person reads."""
    if isinstance(told, list):
        yield from told
        return
    safe = "may be sent twice" if told["idempotent"] else "is sent once"
    yield f"{told['operation']}: {safe}; touches {told['touches']}"
    if told["explicit"]:
        yield "a rule of policy has to name it"
    for name, param in told["params"].items():
        more = ", required" if param["required"] else ""
        yield f"  {name}: {param['kind']}{more}"


def _told(service: str, operation: str) -> Any:
    """Raises NoSuchOperation, CannotBeCarried."""
    if not service:
        return sorted(CATALOG.services)
    if not operation:
        return CATALOG.names(service)
    return _described(service, operation, CATALOG.operation(service, operation))


def _described(service: str, name: str, operation: Operation) -> dict[str, Any]:
    return {
        "operation": f"{service}.{name}",
        "has_row": name in SERVICES[service].operations if service in SERVICES else False,
        "idempotent": operation.is_idempotent(dict.fromkeys(operation.tokens)),
        "explicit": operation.is_explicit,
        "touches": operation.resources.words,
        "sends": operation.sends,
        "receives": operation.receives,
        "params": {
            param.name: {"kind": param.kind, "required": param.is_required}
            for param in operation.params.described()
        },
    }
