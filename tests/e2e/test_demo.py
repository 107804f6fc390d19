"""What a new user sees: `botod demo`, and the lines of the README."""

import json
import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from support.daemons import short_folder
from support.documents import blocks
from support.tools import environ, tool

PAGE = Path(__file__).parents[2] / "README.md"
README = PAGE.read_text(encoding="utf-8")
TO_TYPE = [
    line
    for block in blocks(PAGE)
    if "tests/e2e/test_demo.py" in block.mark
    for line in block.commands
    if line != "make demo"  # which is `botod demo`, above
]
"""The lines for a shell, in their order; a test here runs each."""

LAST_LINE = re.compile(r"demo: (\d+) jobs ok, (\d+) connections opened")
BOUND_S = 120.0


def test_the_demo_ends_well_and_does_so_again() -> None:
    """Exit 0, and a last line with more jobs than connections; a second time as well."""
    for _ in range(2):
        done = subprocess.run(
            [tool("botod"), "demo"],
            env=environ(),
            capture_output=True,
            text=True,
            timeout=BOUND_S,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, ""), done
        match = LAST_LINE.fullmatch(done.stdout.splitlines()[-1])
        assert match is not None, done.stdout
        assert int(match[1]) > int(match[2]) > 0


@dataclass
class Demo:
    """A demo that was left running."""

    process: "subprocess.Popen[str]"
    socket: str
    lines: list[str] = field(default_factory=list)

    def shell(self, line: str) -> str:
        """What a line prints in a terminal where the socket was exported."""
        return subprocess.run(
            ["/bin/sh", "-c", line],
            env=environ(BOTOD_SOCKET=self.socket),
            capture_output=True,
            text=True,
            timeout=BOUND_S,
            check=True,
        ).stdout


@pytest.fixture(scope="module")
def kept() -> Iterator[Demo]:
    """`botod demo --keep`, once it has printed its lines to paste."""
    with short_folder() as folder:
        path = str(folder / "sock")
        process = subprocess.Popen(
            [tool("botod"), "demo", "--keep"],
            env=environ(BOTOD_SOCKET=path),
            stdout=subprocess.PIPE,
            text=True,
        )
        demo = Demo(process, path)
        killer = threading.Timer(BOUND_S, process.kill)
        killer.start()
        try:
            assert process.stdout is not None, "asked for as a pipe"
            for line in process.stdout:
                demo.lines.append(line.rstrip("\n"))
                if "botod status" in line:
                    break
            else:
                pytest.fail("\n".join(demo.lines))
            killer.cancel()  # it is ready; each test has a bound of its own
            yield demo
            process.send_signal(signal.SIGINT)
            rest, _none = process.communicate(timeout=BOUND_S)
            assert LAST_LINE.fullmatch(rest.splitlines()[-1])
            assert process.returncode == 0
        finally:
            killer.cancel()
            process.kill()
            process.wait()
            if process.stdout is not None:  # what it has started may hold the other end
                process.stdout.close()


def test_the_lines_to_paste_work(kept: Demo) -> None:
    """Each line that --keep prints does what it says, in order."""
    tool("socat")
    pasted = [line.strip() for line in kept.lines if re.match(r"  (botod|echo|export) ", line)]
    assert pasted[0].startswith("export PATH=")
    assert pasted[1] == f"export BOTOD_SOCKET={kept.socket}"
    put, get, list_buckets, status = (kept.shell(f"{pasted[0]}; {line}") for line in pasted[2:])
    assert json.loads(put)["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert get == "hello, world"
    assert json.loads(list_buckets)["result"]["Buckets"][0]["Name"] == "demo-bucket"
    assert "slots in use" in status


def test_the_python_of_the_readme_works(kept: Demo) -> None:
    """The lines for Python, as they stand."""
    (code,) = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    done = subprocess.run(
        [tool("python"), "-c", code],
        env=environ(BOTOD_SOCKET=kept.socket),
        capture_output=True,
        text=True,
        timeout=BOUND_S,
        check=True,
    )
    assert done.stdout == "b'hello'\n"


def test_the_shell_lines_of_the_readme_work(kept: Demo, tmp_path: Path) -> None:
    """Each does what it says: calls with files and numbers, many at once, copies, plain JSON."""
    tool("socat")
    put, get, receive, batch, *copies, plain = TO_TYPE
    photo, folder = tmp_path / "photo.jpg", tmp_path / "folder"
    folder.mkdir()
    photo.write_bytes(bytes(range(256)))
    kept.shell(f"cd {tmp_path}; {put}")
    photo.unlink()
    kept.shell(f"cd {tmp_path}; {get}")
    assert photo.read_bytes() == bytes(range(256))

    kept.shell("botod call sqs.send_message MessageBody=hello " + receive.split()[3])
    assert json.loads(kept.shell(receive))["Messages"][0]["Body"] == "hello"

    answers = [json.loads(answer) for answer in kept.shell(batch).splitlines()]
    assert sorted(int(answer["id"]) for answer in answers) == list(range(1, 101))
    assert all(answer["result"] for answer in answers)

    for line in copies:
        kept.shell(f"cd {tmp_path}; {line}")
    assert (tmp_path / "here" / "photo.jpg").read_bytes() == photo.read_bytes()

    answer = json.loads(kept.shell(plain))
    assert answer["id"] == 1
    assert "demo-bucket" in [bucket["Name"] for bucket in answer["result"]["Buckets"]]
    assert kept.shell("botod call s3.head_object Bucket=demo-bucket Key=folder.tar")


def test_another_demo_does_not_use_its_daemon(kept: Demo) -> None:
    """A daemon that is there already may be one that talks to AWS: it is refused, untouched."""
    before = kept.shell("botod status --json")
    done = subprocess.run(
        [tool("botod"), "demo"],
        env=environ(BOTOD_SOCKET=kept.socket),
        capture_output=True,
        text=True,
        timeout=BOUND_S,
        check=False,
    )
    assert done.returncode == 1
    assert f"a daemon runs at {kept.socket} already" in done.stderr
    after = kept.shell("botod status --json")
    assert json.loads(after)["jobs"] == json.loads(before)["jobs"]
