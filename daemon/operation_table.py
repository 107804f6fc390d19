"""docs/operations.md: what rules are written about, and what is tried again, of each operation.

python -m botod.daemon.operation_table > docs/operations.md
"""

import sys
from collections.abc import Iterator

from botod.daemon.services import SERVICES
from botod.daemon.services.operation import Operation

HEAD = """\
# Operations

What rules of policy are written about, and what is tried again: [policy.md](policy.md) and
[retries.md](retries.md) say what that means. This page is made from the tables of operations by
`make docs`; a test compares.
"""

ANY = "any failure that may pass"
REFUSED = "only what was refused, or not sent"


def lines() -> Iterator[str]:
    """The page, line by line."""
    yield HEAD
    for service, table in SERVICES.items():
        yield f"## {service}\n"
        yield "| operation | on | safe to repeat | tried again after |"
        yield "|---|---|---|---|"
        for name, operation in table.operations.items():
            on = _resources(service, operation)
            yield f"| `{service}.{name}` | {on} | {_safety(operation)} |"
        yield ""


def _resources(service: str, operation: Operation) -> str:
    named = ", has to be named" if operation.is_explicit else ""
    meant = f", as `{service}.{operation.acts_as}`" if operation.acts_as else ""
    return f"{operation.resources.words}{named}{meant}"


def _safety(operation: Operation) -> str:
    if not operation.idempotent:
        return f"no | {REFUSED}"
    each = "; each request by itself" if operation.is_composite else ""
    if not operation.unless:
        return f"yes | {ANY}{each}"
    names = " or ".join(f"`{name}`" for name in operation.unless)
    return f"yes, but not with {names} | {ANY}{each}; with these {REFUSED}"


if __name__ == "__main__":
    sys.stdout.write("\n".join(lines()))
