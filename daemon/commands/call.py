"""`botod call METHOD Name=text Name=@file Name:=json`: one operation for a shell script."""

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from botod.ipc.client import DEFAULT_TIMEOUT_S, connect
from botod.ipc.errors import DaemonUnavailable, RpcError

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_NO_DAEMON = 3

MAX_TIMEOUT_S = 86400.0
"""The longest deadline that a daemon can be set to allow."""

EPILOG = """\
parameters:
  Name=text      a text
  Name=@file     what is in a file (@- for standard input)
  Name:=json     a number, true, false, a list or an object

A result with a body goes to standard output as the body alone; with -o FILE the body goes to the
file and the rest is printed. All other results are printed as JSON.

exit status: 0 done, 1 refused or failed (one line on standard error), 2 wrong usage,
             3 no daemon
"""


class Usage(Exception):
    """A parameter that cannot be read."""


def main(argv: Sequence[str]) -> int:
    arguments = _parser().parse_args(argv)
    try:
        params = dict(_parameter(word) for word in arguments.params)
        with connect(arguments.socket, timeout_s=arguments.timeout) as connection:
            result = connection.call(arguments.method, params, profile=arguments.profile)
        _write(result, arguments.output)
    except Usage as error:
        return _say(error, EXIT_USAGE)
    except RpcError as error:
        return _say(error, EXIT_FAILED)
    except DaemonUnavailable as error:
        return _say(error, EXIT_NO_DAEMON)
    except OSError as error:
        return _say(error, EXIT_FAILED)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="botod call",
        description="Have one operation done by the daemon.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("method", help="service.operation, such as s3.get_object")
    parser.add_argument("params", nargs="*", metavar="Name=value")
    parser.add_argument("-o", "--output", metavar="FILE", help="where a body goes")
    parser.add_argument("--profile", metavar="NAME")
    parser.add_argument(
        "--socket", metavar="PATH", help="default: $BOTOD_SOCKET or the usual place"
    )
    parser.add_argument(
        "--timeout",
        type=_seconds,
        default=DEFAULT_TIMEOUT_S,
        metavar="SECONDS",
        help="the deadline",
    )
    return parser


def _parameter(word: str) -> tuple[str, Any]:
    name, equals, value = word.partition("=")
    if not equals or not name.rstrip(":"):
        raise Usage(f"{word!r} is not Name=text, Name=@file or Name:=json")
    if name.endswith(":"):
        try:
            return name[:-1], json.loads(value, parse_constant=_no_constant)
        except (ValueError, RecursionError) as error:
            raise Usage(f"{name[:-1]}: not JSON: {error}") from None
    if value.startswith("@"):
        return name, _file(value[1:])
    return name, value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is none of its numbers")


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= MAX_TIMEOUT_S:
        raise argparse.ArgumentTypeError(
            f"{text} is not seconds, more than 0 and at most {MAX_TIMEOUT_S:g}"
        )
    return seconds


def _file(path: str) -> bytes:
    if path == "-":
        return sys.stdin.buffer.read()
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - pathlib is slow to import
            return file.read()
    except OSError as error:
        raise Usage(f"{path}: {error.strerror}") from None


def _write(result: Any, output: str | None) -> None:
    """The body to a file or to standard output, everything else as JSON."""
    body = result.get("Body") if isinstance(result, dict) else None
    if isinstance(body, bytes) and output is None:
        sys.stdout.buffer.write(body)
        sys.stdout.buffer.flush()
        return
    if isinstance(body, bytes) and output is not None:
        with open(output, "wb") as file:  # noqa: PTH123
            file.write(body)
        del result["Body"]
    text = json.dumps(result, indent=2, ensure_ascii=False, default=_as_text) + "\n"
    sys.stdout.buffer.write(text.encode())  # UTF-8 whatever the terminal's encoding is
    sys.stdout.buffer.flush()


def _as_text(value: Any) -> str:
    """Bytes inside a result, such as a message's binary attribute."""
    import base64  # noqa: PLC0415 - rarely needed, and this command starts often

    return base64.b64encode(value).decode()


def _say(error: Exception, status: int) -> int:
    line = " ".join(str(error).split())
    sys.stderr.write(f"botod: {line}\n")
    return status
