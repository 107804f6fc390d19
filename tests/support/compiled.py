"""Has the tests run on compiled modules where they are in the path (`make test-compiled`).

To be imported before any of botod's modules is.
"""

import os

import pytest

from botod.daemon.compiled_code import use_compiled_code

_modules_num, _refusal = use_compiled_code()
if _refusal:
    pytest.exit(f"{_refusal}: build it anew")

COMPILED_PATH = {"PYTHONPATH": os.environ["PYTHONPATH"]} if _modules_num else {}
"""What daemons have in their environment to run on them as well."""
