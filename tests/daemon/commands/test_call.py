"""`botod call`: bytes exact, one line for an error, an exit status for each kind of outcome."""

import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from botod.daemon.commands.call import main
from support.daemons import BOUND_S, Daemon, short_folder
from support.environ import set_environ
from support.http_server import HttpServer
from support.services import form_of
from support.tools import tool

BODY = bytes(range(256)) + b"\r\n\n"
CAT = ["Bucket=photos", "Key=cat.jpg"]


class Called:
    """What a call left: its status, and what it wrote where."""

    def __init__(self, status: int, out: bytes, err: bytes) -> None:
        self.status = status
        self.out = out
        self.err = err.decode()

    @property
    def result(self) -> Any:
        return json.loads(self.out)

    @property
    def line(self) -> str:
        """The one line of an error."""
        assert self.out == b""
        assert self.err.endswith("\n")
        assert self.err.count("\n") == 1
        return self.err.rstrip("\n")


Call = Callable[..., Called]


@pytest.fixture
def call(capsysbinary: pytest.CaptureFixture[bytes]) -> Call:
    """Make a call in this process."""

    def made(*words: str) -> Called:
        try:
            status = main(words)
        except SystemExit as error:
            status = int(str(error.code))
        out, err = capsysbinary.readouterr()
        return Called(status, out, err)

    return made


def in_a_shell(*words: str, **options: Any) -> "subprocess.CompletedProcess[bytes]":
    """Make a call as a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "botod.daemon.cli", "call", *words],
        check=False,
        timeout=BOUND_S,
        **{"capture_output": True, "stdin": subprocess.DEVNULL} | options,
    )


def test_a_body_goes_to_standard_output_alone(daemon: Daemon, call: Call) -> None:
    """Every byte, and nothing else."""
    done = call("s3.get_object", *CAT)
    assert (done.status, done.out, done.err) == (0, BODY, "")


def test_a_body_is_exact_through_a_pipe(daemon: Daemon) -> None:
    """As shell scripts see it."""
    done = in_a_shell("s3.get_object", *CAT)
    assert (done.returncode, done.stdout, done.stderr) == (0, BODY, b"")


def test_a_body_to_a_file(daemon: Daemon, call: Call, tmp_path: Path) -> None:
    """The rest of the result is printed."""
    file = tmp_path / "cat.jpg"
    done = call("s3.get_object", *CAT, "-o", str(file))
    assert (done.status, file.read_bytes()) == (0, BODY)
    assert done.result["ETag"] == '"1b2cf5"'
    assert "Body" not in done.result


def test_a_file_that_cannot_be_written(daemon: Daemon, call: Call, tmp_path: Path) -> None:
    """The operation was done, so it is a failure and no wrong usage."""
    done = call("s3.get_object", *CAT, "-o", str(tmp_path / "no" / "file"))
    assert done.status == 1
    assert "No such file or directory" in done.line


def test_other_results_are_json(daemon: Daemon, call: Call) -> None:
    """Readable for a person, with its letters as they are; bytes inside are base64."""
    done = call("sqs.receive_message", "QueueUrl=http://h/1/q", "WaitTimeSeconds:=0")
    (message,) = done.result["Messages"]
    assert message["Body"] == "Käse 日本"
    assert message["MessageAttributes"]["raw"]["BinaryValue"] == "AP8="
    assert "Käse 日本".encode() in done.out
    assert done.out.endswith(b"}\n")


def test_json_is_utf8_whatever_the_terminal_speaks(daemon: Daemon) -> None:
    """Programs read it."""
    environ = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = in_a_shell("sqs.receive_message", "QueueUrl=http://h/1/q", env=environ)
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(done.stdout)["Messages"][0]["Body"] == "Käse 日本"


def test_a_text_may_hold_anything(daemon: Daemon, call: Call, aws: HttpServer) -> None:
    """Only the first equals sign counts; spaces, quotes and line ends are the value's."""
    text = " a=b:=c @d 'e' \"f\"\nü"
    done = call("sqs.send_message", "QueueUrl=http://h/1/q", f"MessageBody={text}")
    assert done.status == 0
    assert form_of(aws.requests[0])["MessageBody"] == text


def test_a_body_from_a_file(daemon: Daemon, call: Call, aws: HttpServer, tmp_path: Path) -> None:
    """Its bytes, as they are."""
    file = tmp_path / "=@ odd name"
    file.write_bytes(BODY)
    assert call("s3.put_object", *CAT, f"Body=@{file}").result["ETag"] == '"1b2cf5"'
    assert aws.requests[0].body == BODY


def test_a_body_from_standard_input(daemon: Daemon, aws: HttpServer) -> None:
    """Its bytes, as they are, to the end."""
    done = in_a_shell("s3.put_object", *CAT, "Body=@-", input=BODY, stdin=None)
    assert done.returncode == 0
    assert aws.requests[0].body == BODY


def test_json_params(
    daemon: Daemon, call: Call, aws: HttpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Numbers, flags, lists and objects."""
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"from stdin")))
    done = call(
        "sqs.send_message_batch",
        "QueueUrl=http://h/1/q",
        'Entries:=[{"Id": "a", "MessageBody": "ü", "DelaySeconds": 3}]',
    )
    assert done.status == 0
    form = form_of(aws.requests[0])
    assert form["SendMessageBatchRequestEntry.1.DelaySeconds"] == "3"
    assert form["SendMessageBatchRequestEntry.1.MessageBody"] == "ü"
    done = call("s3.put_object", *CAT, "Body=@-", 'Metadata:={"a": "b"}')
    assert aws.requests[1].headers["x-amz-meta-a"] == "b"
    assert aws.requests[1].body == b"from stdin"


def test_the_daemon_s_own_methods(daemon: Daemon, call: Call) -> None:
    """They take no params."""
    assert call("botod.ping").result["pid"] == daemon.process.pid


def test_the_service_s_error(daemon: Daemon, call: Call) -> None:
    """Status 1 and one line, even if the service's words have more."""
    done = call("s3.get_object", "Bucket=photos", "Key=dog.jpg")
    assert done.status == 1
    assert done.line == "botod: NoSuchKey from get_object: The key does not exist"


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["s3.get_object", "Bucket=photos"], "botod: Key is missing (-32602)"),
        (["s3.get_objekt"], "botod: unknown method 's3.get_objekt'; did you mean get_object, "),
        (["s3.get_object", *CAT, "--profile", "x"], "botod: no profile 'x'; there are: default"),
        (["s3.get_object", *CAT, "--timeout", "901"], "botod: timeout_s has to be seconds, "),
        (["s3.get_object", "Bucket=photos", "Key=a\udcff"], "botod: Key holds half of a surrogate"),
    ],
)
def test_a_refusal(daemon: Daemon, call: Call, words: list[str], line: str) -> None:
    """Status 1 and one line: the daemon's words."""
    done = call(*words)
    assert done.status == 1
    assert done.line.startswith(line)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["Bucket"], "'Bucket' is not Name=text, Name=@file or Name:=json"),
        (["=x"], "'=x' is not Name=text"),
        ([":=1"], "':=1' is not Name=text"),
        (["A:=x"], "A: not JSON: "),
        (["A:="], "A: not JSON: "),
        (["A:=NaN"], "A: not JSON: "),
        (["A:=[Infinity]"], "A: not JSON: "),
        (["A:=" + "[" * 100_000], "A: not JSON: "),
        (["A=@/no/such/file"], "/no/such/file: No such file or directory"),
        (["A=@/"], "/: Is a directory"),
        (["A=@"], ": No such file or directory"),
    ],
)
def test_wrong_usage(daemon: Daemon, call: Call, words: list[str], said: str) -> None:
    """Status 2 and one line that names the word; nothing was asked."""
    done = call("botod.ping", *words)
    assert done.status == 2
    assert done.line.startswith(f"botod: {said}")


@pytest.mark.parametrize("timeout", ["-1", "0", "nan", "inf", "soon", "1e9"])
def test_a_timeout_that_is_none(daemon: Daemon, call: Call, timeout: str) -> None:
    """Status 2 and one line; nothing was asked."""
    done = call("botod.ping", f"--timeout={timeout}")
    assert done.status == 2
    words = f"--timeout: {timeout} is not seconds, more than 0 and at most 86400"
    assert done.line == f"botod: {words}"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "a METHOD is missing"),
        (["--profile=x"], "a METHOD is missing"),
        (["botod.ping", "--no-such"], "there is no option --no-such"),
        (["botod.ping", "--batch"], "--batch takes requests from standard input only, and no -o"),
        (["--batch", "-o", "file"], "--batch takes requests from standard input only, and no -o"),
        (["botod.ping", "--socket"], "--socket needs a value"),
    ],
)
def test_words_that_make_no_call(call: Call, words: list[str], said: str) -> None:
    """Status 2, and how to use it where that helps."""
    done = call(*words)
    assert (done.status, done.out) == (2, b"")
    assert done.err.startswith(f"botod: {said}\n")
    assert ("usage: botod call" in done.err) == ("METHOD" in said or "there is no" in said)


def test_options_stand_anywhere(daemon: Daemon, call: Call) -> None:
    """Before and between the words, with an equals sign or without; -- ends them."""
    path = ["--socket", daemon.socket_path]
    assert call(*path, "s3.get_object", CAT[0], "--profile=default", CAT[1]).out == BODY
    assert call(*path, "--", "s3.get_object", *CAT).out == BODY


def test_bytes_inside_json(daemon: Daemon, call: Call, aws: HttpServer) -> None:
    """As the protocol writes them."""
    assert call("s3.put_object", *CAT, 'Body:={"$base64": "AP8="}').status == 0
    assert aws.requests[0].body == b"\x00\xff"


def asked_with(*words: str) -> dict[str, Any]:
    """The request that a call sends."""
    with short_folder() as folder, socket.socket(socket.AF_UNIX) as listener:
        path = str(folder / "x.sock")
        listener.bind(path)
        listener.listen()
        with subprocess.Popen(
            [sys.executable, "-m", "botod.daemon.cli", "call", "--socket", path, *words],
            stderr=subprocess.DEVNULL,
        ) as process:
            peer, _address = listener.accept()
            with peer, peer.makefile("rb") as lines:
                request: dict[str, Any] = json.loads(lines.readline())
            process.wait(BOUND_S)
    return request


def test_a_deadline_is_told_only_if_it_was_said() -> None:
    """Else the daemon's own counts, which its administrator has set."""
    plain = {"jsonrpc": "2.0", "id": 1, "method": "botod.ping", "params": {}}
    assert asked_with("botod.ping") == plain
    said = asked_with("botod.ping", "--timeout", "1.5", "--profile", "x")
    assert said == plain | {"timeout_s": 1.5, "profile": "x"}


def test_help_says_how_params_and_statuses_are_written(call: Call) -> None:
    """Laid out as it stands in the source."""
    done = call("--help")
    assert done.status == 0
    assert b"\n  Name=@file     what is in a file (@- for standard input)\n" in done.out
    assert b"\nexit status: 0 done, 1 refused or failed" in done.out


def test_no_daemon(call: Call, tmp_path: Path) -> None:
    """Status 3 and one line that says where it looked and what to do."""
    done = call("botod.ping", "--socket", str(tmp_path / "no.sock"))
    assert done.status == 3
    assert done.line.startswith(f"botod: no daemon answers at {tmp_path / 'no.sock'}: ")
    assert "botod run" in done.line


def test_the_option_comes_before_the_environment(
    daemon: Daemon, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A socket that is named is the one that is used."""
    set_environ(monkeypatch, "BOTOD_SOCKET", "/no/such.sock")
    assert call("botod.ping").status == 3
    assert call("botod.ping", "--socket", daemon.socket_path).status == 0


def test_a_daemon_that_goes_away(call: Call) -> None:
    """Status 3; whether the operation was done is not known, and the line says so."""
    with short_folder() as folder, socket.socket(socket.AF_UNIX) as listener:
        path = str(folder / "x.sock")
        listener.bind(path)
        listener.listen()

        def hang_up() -> None:
            peer, _address = listener.accept()
            peer.recv(65536)
            peer.close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        done = call("botod.ping", "--socket", path)
        thread.join(BOUND_S)
    assert done.status == 3
    assert "whether the request was done is not known" in done.line


def test_a_reader_that_leaves(daemon: Daemon) -> None:
    """As in `botod call … | head -c 1`: a failure in one line, no traceback."""
    read, write = os.pipe()
    os.close(read)
    try:
        done = in_a_shell("s3.get_object", *CAT, capture_output=False, stdout=write, stderr=-1)
    finally:
        os.close(write)
    assert done.returncode == 1
    assert done.stderr == b"botod: [Errno 32] Broken pipe\n"


def test_ctrl_c_ends_it_quietly() -> None:
    """With the status that shells give, and no traceback."""
    with short_folder() as folder, socket.socket(socket.AF_UNIX) as listener:
        path = str(folder / "x.sock")
        listener.bind(path)
        listener.listen()
        with subprocess.Popen(
            [tool("botod"), "call", "--socket", path, "botod.ping"], stderr=subprocess.PIPE
        ) as process:
            peer, _address = listener.accept()
            with peer:
                peer.recv(1)
                process.send_signal(signal.SIGINT)
                _out, err = process.communicate(timeout=BOUND_S)
    assert (process.returncode, err) == (130, b"")
