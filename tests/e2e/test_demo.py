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
from support.tools import environ, tool

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
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
            yield demo
            process.send_signal(signal.SIGINT)
            rest, _none = process.communicate(timeout=BOUND_S)
            assert LAST_LINE.fullmatch(rest.splitlines()[-1])
            assert process.returncode == 0
        finally:
            killer.cancel()
            if process.poll() is None:
                process.kill()
            process.communicate()


def test_the_lines_to_paste_work(kept: Demo) -> None:
    """Each line that --keep prints does what it says, in order."""
    tool("socat")
    pasted = [line.strip() for line in kept.lines if re.match(r"  (botod|echo|export) ", line)]
    assert pasted[0] == f"export BOTOD_SOCKET={kept.socket}"
    put, get, list_buckets, status = (kept.shell(line) for line in pasted[1:])
    assert json.loads(put)["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert get == "hello, world"
    assert json.loads(list_buckets)["result"]["Buckets"][0]["Name"] == "demo-bucket"
    assert "slots in use" in status


def test_the_one_liner_of_the_readme_works(kept: Demo) -> None:
    """JSON in by echo, JSON out by socat, which closes its sending side at once."""
    tool("socat")
    (line,) = re.findall(r"^    (echo .* \| socat -t60 .*)$", README, re.MULTILINE)
    answer = json.loads(kept.shell(line))
    assert answer["id"] == 1
    assert "demo-bucket" in [bucket["Name"] for bucket in answer["result"]["Buckets"]]


def test_the_python_of_the_readme_works(kept: Demo) -> None:
    """The lines for Python, on a bucket of that name."""
    (code,) = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    kept.shell("botod call s3.create_bucket Bucket=bbb")
    done = subprocess.run(
        [tool("python"), "-c", code.replace('"b"', '"bbb"')],
        env=environ(BOTOD_SOCKET=kept.socket),
        capture_output=True,
        text=True,
        timeout=BOUND_S,
        check=True,
    )
    assert done.stdout == "b'hello'\n"


def test_the_shell_lines_of_the_readme_work(kept: Demo, tmp_path: Path) -> None:
    """botod call with a file, with a body to standard output, and with a number."""
    lines = re.findall(r"^    (botod call .*)$", README, re.MULTILINE)
    put, get, receive = lines
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(bytes(range(256)))
    kept.shell("botod call s3.create_bucket Bucket=ccc")
    kept.shell(f"cd {tmp_path}; {put}".replace("Bucket=b ", "Bucket=ccc "))
    photo.unlink()
    kept.shell(f"cd {tmp_path}; {get}".replace("Bucket=b ", "Bucket=ccc "))
    assert photo.read_bytes() == bytes(range(256))
    kept.shell("botod call sqs.create_queue QueueName=q")
    url = json.loads(kept.shell("botod call sqs.get_queue_url QueueName=q"))["QueueUrl"]
    receive = receive.replace("https://sqs/1/q", url).replace(":=20", ":=1")
    assert "Messages" not in json.loads(kept.shell(receive))
