"""docs/install.md and packaging/Dockerfile, done word for word in a Debian of their own."""

import json
import re
import shlex
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.activator import Unit
from support.daemons import BOUND_S, KEYS, NO_METADATA
from support.debian import ENVIRON, Debian, debian
from support.documents import Block, blocks
from support.trees import ROOT, copied_tree

pytestmark = pytest.mark.long

PAGE = ROOT / "docs" / "install.md"
IMAGE_MIB_MAX = 110
"""Of what is added to Python's own image: 99 in docs/containers.md, and some room."""

DOCTORS = "botod doctor"


def marked(command: str) -> Block:
    """The block that is left to this file and has a command."""
    (found,) = (
        block
        for block in blocks(PAGE)
        if "test_installing.py" in block.mark and command in block.text
    )
    return found


@contextmanager
def daemon_of(system: Debian, *command: str, user: str) -> Iterator[str]:
    """What the daemon says first; it ends in order, without any warning but of its keys."""
    words = system.words(*command, user=user)
    process = subprocess.Popen(
        words, env=ENVIRON | KEYS | NO_METADATA, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stderr is not None, "asked for as a pipe"
        yield next(line for line in process.stderr if "listening on" in line)
        process.send_signal(signal.SIGTERM)
        _none, rest = process.communicate(timeout=BOUND_S)
        assert (process.returncode, re.findall("ERROR|CRITICAL", rest)) == (0, []), rest
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Debian:
    """A server on which the commands for systemd were given, but for those to the doctor.

    No systemd runs there: systemctl makes its links, which the test looks at, and starts nothing.
    """
    system = debian(tmp_path_factory.mktemp("host") / "debian")
    keep = 'Defaults env_keep += "SYSTEMD_OFFLINE"\n'
    (system.root / "etc/sudoers.d/offline").write_text(keep)
    copied_tree(system.root / "checkout")
    given = [line for line in marked("systemd-unit").commands if DOCTORS not in line]
    *given, start = given
    assert " enable --now " in start
    lines = ["cd /checkout", *given, f"{start} || true"]
    system.run("sh", "-e", "-c", "\n".join(lines), SYSTEMD_OFFLINE="1")
    return system


def test_a_host_with_systemd(host: Debian) -> None:
    """Under ten commands; systemd takes the units, and what they start answers as their user."""
    words = marked("systemd-unit").commands
    assert len(words) < 10
    assert not [line for line in words if "&&" in line or ";" in line or "|" in line]
    units = host.root / "etc/systemd/system"
    for name in ("botod.service", "botod.socket"):
        host.run("systemd-analyze", "verify", "--recursive-errors=yes", name)
    assert (units / "sockets.target.wants/botod.socket").is_symlink()
    assert (units / "multi-user.target.wants/botod.service").is_symlink()
    unit = Unit.read(units / "botod.service")
    (user,) = unit.settings["User"]
    with daemon_of(host, *unit.command, user=user) as first:
        assert "/run/botod/botod.sock" in first
        said = asked(host, f"{words[-1]} --json")
        assert said["socket"] == said["policy"] == said["config"] == said["libcurl"] == "ok"


def asked(host: Debian, doctor: str) -> dict[str, str]:
    """How each of the doctor's checks ended; it may well find that AWS cannot be reached."""
    done = subprocess.run(
        host.words("sh", "-c", doctor),
        env=ENVIRON | KEYS | NO_METADATA,
        capture_output=True,
        text=True,
        timeout=4 * BOUND_S,
        check=False,
    )
    assert done.stdout, done.stderr
    return {one["check"]: one["level"] for one in json.loads(done.stdout)["findings"]}


def test_with_the_distribution_s_tls(host: Debian) -> None:
    """pycurl is built against the system's libcurl; the doctor and the daemon take it."""
    before = curl_of(host)
    build = [line for line in marked("--no-binary").commands if DOCTORS not in line]
    host.run("sh", "-e", "-c", "\n".join(["apt-get update --quiet", *build]))
    after = curl_of(host)
    system = host.run("dpkg-query", "-W", "-f", "${Version}", "libcurl4").partition("-")[0]
    assert f"libcurl/{system} OpenSSL/" in after
    assert f"libcurl/{system} " not in before
    linked = host.run("sh", "-c", "find /opt/botod -name '*pycurl*.so' -exec ldd {} +")
    assert re.search(r"libcurl\.so\.4 => /(?:usr/)?lib/", linked)
    said = asked(host, "botod doctor --json --socket /nowhere")
    assert said["libcurl"] == "ok"
    command = ("botod", "run", "--config", "/etc/botod/botod.toml")
    with daemon_of(host, *command, user="botod"):
        assert '"version"' in host.run("botod", "call", "botod.ping", user="botod")


def curl_of(host: Debian) -> str:
    """What pycurl says of itself."""
    return host.run("/opt/botod/bin/python", "-c", "import pycurl; print(pycurl.version)")


IGNORED = shutil.ignore_patterns(*(ROOT / ".dockerignore").read_text().replace("**/", "").split())


HEADERS = "python3-dev"
"""Which Python's own image has."""


class Image:
    """What a Dockerfile makes, in a Debian with Python in place of Python's own image."""

    def __init__(self, folder: Path, text: str) -> None:
        self.environ: dict[str, str] = {}
        self.said: dict[str, str] = {}
        self._folder = folder
        self._stages: list[Debian] = []
        for line in re.sub(r"\\\n\s*", "", text).splitlines():
            if line and not line.startswith("#"):
                name, words = line.split(maxsplit=1)
                getattr(self, f"_{name.lower()}", self._say(name))(words)

    @property
    def system(self) -> Debian:
        """The last stage."""
        return self._stages[-1]

    def command(self, name: str) -> list[str]:
        """A command in JSON, of an instruction such as ENTRYPOINT."""
        found: list[str] = json.loads(self.said[name][self.said[name].index("[") :])
        return found

    def _say(self, name: str) -> object:
        return lambda words: self.said.__setitem__(name, words)

    def _from(self, words: str) -> None:
        stage = debian(self._folder / f"stage-{len(self._stages)}")
        (stage.root / "usr/local/bin/python").symlink_to("/usr/bin/python3")
        stage.run("apt-get", "update", "--quiet")
        stage.run("apt-get", "install", "--yes", "--quiet", "--no-install-recommends", HEADERS)
        self._stages.append(stage)

    def _run(self, words: str) -> None:
        self.system.run("sh", "-c", words, **self.environ)

    def _copy(self, words: str) -> None:
        *option, source, target = words.split()
        place = self.system.root / target.lstrip("/")
        if option:
            shutil.copytree(self._stages[0].root / source.lstrip("/"), place, symlinks=True)
        elif (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, place, ignore=IGNORED, symlinks=True)
        else:
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / source, place)

    def _env(self, words: str) -> None:
        name, _is, value = words.partition("=")
        self.environ[name] = value.replace(f"${name}", ENVIRON[name])


def test_the_image(tmp_path: Path) -> None:
    """Its steps are done; it is small, and what it starts is well, as its user, and ends."""
    image = Image(tmp_path, (ROOT / "packaging" / "Dockerfile").read_text(encoding="utf-8"))
    system, user = image.system, image.said["USER"]
    sizes = subprocess.run(
        ["du", "-sm", system.root / "opt/botod"], capture_output=True, text=True, check=True
    )
    size_mib = int(sizes.stdout.split()[0])
    told = re.findall(r"and (\d+) MB of /opt/botod", (ROOT / "docs/containers.md").read_text())
    assert abs(size_mib - int(told[0])) <= 5
    assert size_mib < IMAGE_MIB_MAX
    assert not [*(system.root / "opt/botod").glob("lib/python3*/site-packages/pip")]
    assert system.run("id", "-u", user).strip() == "990"
    command = ["env", *(f"{name}={value}" for name, value in image.environ.items())]
    start = [*command, *image.command("ENTRYPOINT"), *image.command("CMD")]
    with daemon_of(system, *start, user=user) as first:
        assert "/run/botod/botod.sock" in first
        assert '"version"' in system.run(*command, *image.command("HEALTHCHECK"), user=user)
        assert shlex.join(image.command("HEALTHCHECK")) in (
            ROOT / "etc/kubernetes/sidecar.yaml"
        ).read_text().replace('", "', " ").replace('"', "")
