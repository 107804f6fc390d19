"""Manifests for Kubernetes and Docker, beside what they repeat: unit, image, defaults."""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from botod.daemon.cli import COMMANDS
from botod.daemon.commands.run import KILL_AFTER_S
from botod.daemon.config import Config, load
from botod.daemon.service import ANSWER_TIMEOUT_S
from support.daemons import BOUND_S
from support.trees import ROOT

ETC = ROOT / "etc"
UNIT = (ETC / "botod.service").read_text(encoding="utf-8")
IMAGE = (ROOT / "packaging" / "Dockerfile").read_text(encoding="utf-8")
VERSION = re.findall(r'^version = "(.*)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)[0]

Object = dict[str, Any]


def objects(name: str) -> list[Object]:
    """What stands in a manifest."""
    return [*yaml.safe_load_all((ETC / "kubernetes" / name).read_text(encoding="utf-8"))]


def one(kind: str, name: str) -> Object:
    """The only object of a kind in a manifest."""
    (found,) = (each for each in objects(name) if each["kind"] == kind)
    return found


DAEMON_SET = one("DaemonSet", "daemonset.yaml")["spec"]
NODE, BESIDE = DAEMON_SET["template"]["spec"], one("Pod", "sidecar.yaml")["spec"]
PEER = one("Pod", "peer.yaml")["spec"]
(ON_NODE,), (SIDECAR,) = NODE["containers"], BESIDE["initContainers"]
APPS = [*PEER["containers"], *BESIDE["containers"]]
COMPOSE = yaml.safe_load((ETC / "compose.yaml").read_text(encoding="utf-8"))
DAEMONS = pytest.mark.parametrize(
    ("container", "pod", "manifest"),
    [(ON_NODE, NODE, "daemonset.yaml"), (SIDECAR, BESIDE, "sidecar.yaml")],
    ids=["node", "sidecar"],
)


def unit(setting: str) -> str:
    """What the unit has for a setting."""
    return re.findall(rf"^{setting}=(.*)$", UNIT, re.MULTILINE)[0]


@DAEMONS
def test_it_has_no_more_rights_than_the_unit_gives(
    container: Object, pod: Object, manifest: str
) -> None:
    """A user of its own, the image's; no capability, none to be won, nothing to write to."""
    security = pod.get("securityContext", {}) | container["securityContext"]
    uid = int(re.findall(r"--uid (\d+)", IMAGE)[0])
    assert security["runAsUser"] == security["runAsGroup"] == uid
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert security["allowPrivilegeEscalation"] is False
    assert security["runAsNonRoot"] is security["readOnlyRootFilesystem"] is True
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert not {"hostPID", "hostIPC", "shareProcessNamespace"} & pod.keys()


@DAEMONS
def test_its_limits_are_the_unit_s(container: Object, pod: Object, manifest: str) -> None:
    """Memory, the time for an end, the time after which a stuck loop is ended."""
    assert container["resources"]["limits"] == {"memory": f"{unit('MemoryMax')}i"}
    takes_s = Config().daemon.drain_timeout_s + ANSWER_TIMEOUT_S + KILL_AFTER_S
    assert pod["terminationGracePeriodSeconds"] >= takes_s
    assert pod["terminationGracePeriodSeconds"] == int(unit("TimeoutStopSec"))
    alive = container["livenessProbe"]
    assert alive["periodSeconds"] * alive["failureThreshold"] == int(unit("WatchdogSec"))
    for probe in alive, container["startupProbe"]:
        program, command, method = probe["exec"]["command"]
        assert (program, method) == ("botod", "botod.ping")
        assert command in COMMANDS
    assert container["image"] == f"botod:{VERSION}"


@DAEMONS
def test_its_configuration_is_one(
    container: Object, pod: Object, manifest: str, tmp_path: Path
) -> None:
    """The daemon takes it; its socket lies in what is mounted, and rules name who is served."""
    file = tmp_path / "botod.toml"
    file.write_text(one("ConfigMap", manifest)["data"]["botod.toml"])
    config = load(str(file))
    folder = Path(config.daemon.socket).parent
    places = {mount["mountPath"] for mount in container["volumeMounts"]}
    assert places & {str(folder), str(folder.parent)}
    assert {rule.who.uid for rule in config.rules} == {
        app["securityContext"]["runAsUser"] for app in APPS
    }


@pytest.mark.parametrize("app", APPS, ids=["peer", "beside"])
def test_who_asks_mounts_the_directory_read_only(app: Object) -> None:
    """Never the socket itself, and it can put nothing in its place."""
    ((mount),) = app["volumeMounts"]
    (variable,) = app["env"]
    assert variable["name"] == "BOTOD_SOCKET"
    assert Path(mount["mountPath"]) in Path(variable["value"]).parents
    assert mount["readOnly"] is True
    assert app["securityContext"]["runAsUser"] != SIDECAR["securityContext"]["runAsUser"]


def test_on_a_node_there_is_one() -> None:
    """On each; the new one starts when the old one is gone, as both want one socket."""
    assert DAEMON_SET["updateStrategy"]["rollingUpdate"] == {"maxSurge": 0, "maxUnavailable": 1}
    assert NODE["tolerations"] == [{"operator": "Exists"}]
    paths = [pod["volumes"][0]["hostPath"]["path"] for pod in (NODE, PEER)]
    assert paths == ["/run/botod"] * 2


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a directory away")
def test_the_directory_is_given_to_the_daemon(tmp_path: Path) -> None:
    """As root with the capabilities that are left to it; again, when it is the daemon's already."""
    (container,) = NODE["initContainers"]
    kept = ",".join(
        f"+{name.lower()}" for name in container["securityContext"]["capabilities"]["add"]
    )
    words = [word.replace("/run/botod", str(tmp_path)) for word in container["command"]]
    tmp_path.chmod(0o777)
    for _ in range(2):
        rights = ["setpriv", f"--bounding-set=-all,{kept}", f"--inh-caps=-all,{kept}"]
        subprocess.run([*rights, *words], check=True, timeout=BOUND_S)
        found = tmp_path.stat()
        assert (found.st_uid, found.st_gid, found.st_mode & 0o777) == (990, 990, 0o755)


def test_compose() -> None:
    """The same for Docker."""
    daemon, app = COMPOSE["services"]["botod"], COMPOSE["services"]["shop"]
    assert daemon["mem_limit"] == unit("MemoryMax").lower()
    assert daemon["ulimits"] == {"nofile": int(unit("LimitNOFILE")), "core": int(unit("LimitCORE"))}
    assert daemon["stop_grace_period"] == f"{unit('TimeoutStopSec')}s"
    assert (daemon["read_only"], daemon["cap_drop"]) == (True, ["ALL"])
    assert daemon["userns_mode"] == app["userns_mode"] == "host"
    assert (ETC / daemon["build"]["context"] / daemon["build"]["dockerfile"]).samefile(
        ROOT / "packaging" / "Dockerfile"
    )
    assert app["volumes"] == ["run:/run/botod:ro"]
    assert "HEALTHCHECK" in IMAGE, "which the program waits for"
