"""`botod call METHOD Name=text Name=@file Name:=json`: one operation for a shell script.

It imports next to nothing, for the reason that call_wire.py gives; argparse alone would double it.
"""

import sys

from botod.daemon.commands.call_wire import Failed, NoDaemon, ask, filled, loads, pretty

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_NO_DAEMON = 3
EXIT_INTERRUPTED = 130
"""As shells say it of a program that Ctrl-C ended."""

MAX_TIMEOUT_S = 86400.0
"""The longest deadline that a daemon can be set to allow."""

USAGE = """\
usage: botod call [-o FILE] [--profile NAME] [--socket PATH] [--timeout SECONDS]
                  METHOD [Name=value ...]
       botod call --batch [--profile NAME] [--socket PATH] [--timeout SECONDS]
"""

HELP = f"""\
{USAGE}
Have one operation done by the daemon: METHOD is service.operation, such as s3.get_object.

parameters:
  Name=text      a text
  Name=@file     what is in a file (@- for standard input)
  Name:=json     a number, true, false, a list or an object; in it {{"$base64": "…"}} is bytes

options:
  -o, --output FILE    where a body goes
  --profile NAME       the upstream to use
  --socket PATH        default: $BOTOD_SOCKET or the usual place
  --timeout SECONDS    the deadline; default: the daemon's
  --batch              many operations, over one connection

A result with a body goes to standard output as the body alone; with -o FILE the body goes to the
file and the rest is printed. All other results are printed as JSON.

With --batch each line of standard input is a request, {{"method": …, "params": …}}, with an id and
the protocol's options if need be. It gets one line as soon as it is done, {{"id": …, "result": …}}
or {{"id": …, "error": …}}; the id is the line's number if it gave none. Bytes are
{{"$base64": "…"}}.

exit status: 0 done, 1 refused or failed (one line on standard error), 2 wrong usage,
             3 no daemon; with --batch 1 if any failed
"""

OPTIONS = {
    "-o": "output",
    "--output": "output",
    "--profile": "profile",
    "--socket": "socket",
    "--timeout": "timeout",
}

FLAGS = {"-h": "help", "--help": "help", "--batch": "batch"}


class Usage(Exception):
    """A word that cannot be read."""


def main(argv: "Sequence[str]") -> int:
    try:
        options, words = _sorted_out(argv)
        if "help" in options:
            _print(HELP)
        elif "batch" in options:
            return _batch(options, words)
        else:
            _one(options, words)
    except Usage as error:
        sys.stderr.write(f"botod: {error}\n")
        return EXIT_USAGE
    except NoDaemon as error:
        return _say(error, EXIT_NO_DAEMON)
    except (Failed, OSError) as error:
        return _say(error, EXIT_FAILED)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    return 0


def _one(options: "dict[str, str]", words: "Sequence[str]") -> None:
    if not words:
        raise Usage(f"a METHOD is missing\n{USAGE}".rstrip())
    params, blobs = _params(words[1:])
    request = {"method": words[0], "params": params, **_job_options(options)}
    result, body = ask(options.get("socket"), request, blobs)
    _write(filled(result, body), options.get("output"))


def _batch(options: "dict[str, str]", words: "Sequence[str]") -> int:
    if words or "output" in options:
        raise Usage("--batch takes requests from standard input only, and no -o")
    from botod.daemon.commands.call_batch import run  # noqa: PLC0415 - it imports more

    return EXIT_FAILED if run(options.get("socket"), _job_options(options)) else 0


def _sorted_out(argv: "Sequence[str]") -> "tuple[dict[str, str], list[str]]":
    """The options by name, and the words that are none."""
    options: dict[str, str] = {}
    words: list[str] = []
    rest = iter(argv)
    for word in rest:
        name, equals, value = word.partition("=")
        if word == "--":
            words += rest
        elif word in FLAGS:
            options[FLAGS[word]] = ""
        elif name in OPTIONS:
            options[OPTIONS[name]] = value if equals else _next(rest, name)
        elif word.startswith("-"):
            raise Usage(f"there is no option {word}\n{USAGE}".rstrip())
        else:
            words.append(word)
    return options, words


def _next(rest: "Any", name: str) -> str:
    value: str | None = next(rest, None)
    if value is None:
        raise Usage(f"{name} needs a value")
    return value


def _job_options(options: "dict[str, str]") -> "dict[str, Any]":
    """The options that the daemon is told; what is not said is its own default."""
    told: dict[str, Any] = {}
    if "profile" in options:
        told["profile"] = options["profile"]
    if "timeout" in options:
        told["timeout_s"] = _seconds(options["timeout"])
    return told


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= MAX_TIMEOUT_S:
        raise Usage(f"--timeout: {text} is not seconds, more than 0 and at most {MAX_TIMEOUT_S:g}")
    return seconds


def _params(words: "Sequence[str]") -> "tuple[dict[str, Any], list[bytes]]":
    """The params, and the raw bytes that stand beside them."""
    params: dict[str, Any] = {}
    blobs: list[bytes] = []
    for word in words:
        name, value = _parameter(word)
        if isinstance(value, bytes):
            blobs.append(value)
            value = {"$bytes": len(blobs) - 1}
        params[name] = value
    return params, blobs


def _parameter(word: str) -> "tuple[str, Any]":
    name, equals, value = word.partition("=")
    if not equals or not name.rstrip(":"):
        raise Usage(f"{word!r} is not Name=text, Name=@file or Name:=json")
    if name.endswith(":"):
        try:
            return name[:-1], loads(value)
        except (ValueError, RecursionError) as error:
            raise Usage(f"{name[:-1]}: not JSON: {error}") from None
    if value.startswith("@"):
        return name, _file(value[1:])
    return name, value


def _file(path: str) -> bytes:
    if path == "-":
        return sys.stdin.buffer.read()
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - pathlib is slow to import
            return file.read()
    except OSError as error:
        raise Usage(f"{path}: {error.strerror}") from None


def _write(result: "Any", output: str | None) -> None:
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
    _print(pretty(result) + "\n")


def _print(text: str) -> None:
    """As UTF-8, whatever the terminal's encoding is; half a surrogate as JSON's own escape."""
    sys.stdout.buffer.write(text.encode(errors="backslashreplace"))
    sys.stdout.buffer.flush()


def _say(error: Exception, status: int) -> int:
    line = " ".join(str(error).split())
    sys.stderr.write(f"botod: {line}\n")
    return status
