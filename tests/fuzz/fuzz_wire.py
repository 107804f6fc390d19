"""Drives the targets of support.fuzzing by what they cover: `make fuzz`.

Arguments are libFuzzer's; a crash writes the input that made it, which belongs into corpus/ then.
"""

import logging
import sys

import atheris

with atheris.instrument_imports(include=["botod.ipc"]):
    from support.fuzzing import run_all


def main() -> None:
    """Fuzz until libFuzzer has had enough."""
    logging.disable()  # what is refused is no news here
    atheris.Setup(sys.argv, run_all)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
