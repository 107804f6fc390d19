"""Has the tests run on compiled modules where they are in the path (`make test-compiled`).

To be imported before any of botod's modules is.
"""

import pytest

from botod.daemon.compiled_code import use_compiled_code

COMPILED_NUM, REFUSAL = use_compiled_code()
if REFUSAL:
    pytest.exit(f"{REFUSAL}: build it anew")


def needs_interpreted() -> None:
    """Skip a test where modules are compiled: it gives them what compiled code does not take.

    Stand-ins for our own classes, that is, or weak references to their objects.
    """
    if COMPILED_NUM:
        pytest.skip("the modules are compiled")
