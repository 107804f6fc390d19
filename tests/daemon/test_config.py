"""The configuration: every mistake is named with its section, its key and what is allowed."""

import tempfile
import tomllib
from dataclasses import Field, fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from botod.daemon.config import Config, ConfigError, load
from botod.daemon.profile_settings import ProfileSettings
from botod.daemon.settings import SECTIONS

BOUNDED: dict[str, Field[Any]] = {
    f"{section}.{setting.name}": setting
    for section, kind in {**SECTIONS, "profile.default": ProfileSettings}.items()
    for setting in fields(kind)
    if setting.metadata["bounds"] is not None
}

CHOICES = [
    (f"{section}.{setting.name}", choice)
    for section, kind in {**SECTIONS, "profile.default": ProfileSettings}.items()
    for setting in fields(kind)
    for choice in setting.metadata["choices"]
]

PROFILE = [setting.name for setting in fields(ProfileSettings)]
THERE = "daemon, log, audit, limits, pool, metrics, profile.NAME, [[policy]]"
POOL = [setting.name for setting in fields(SECTIONS["pool"])]
PROFILE = [setting.name for setting in fields(ProfileSettings)]
ENDPOINT_FORM = "has to be http://host[:port] or https://host[:port]"


def config_of(tmp_path: Path, text: str) -> Config:
    """What a file with this text says."""
    path = tmp_path / "botod.toml"
    path.write_text(text)
    return load(str(path))


def mistakes_in(tmp_path: Path, text: str) -> list[str]:
    """The mistakes of a file with this text; each begins with the file's name."""
    with pytest.raises(ConfigError) as caught:
        config_of(tmp_path, text)
    prefix = f"{tmp_path / 'botod.toml'}: "
    lines = str(caught.value).split("\n")
    assert all(line.startswith(prefix) for line in lines), lines
    return [line.removeprefix(prefix) for line in lines]


def value_of(config: Config, name: str) -> Any:
    """The value of a setting in a configuration."""
    section, _dot, key = name.rpartition(".")
    part = config.profiles["default"] if section.startswith("profile") else getattr(config, section)
    return getattr(part, key)


def test_an_empty_file_says_nothing(tmp_path: Path) -> None:
    """All settings have defaults, and there is always a profile called default."""
    assert config_of(tmp_path, "") == Config()
    assert list(Config().profiles) == ["default"]


def test_every_setting_can_be_set(tmp_path: Path) -> None:
    """Each value arrives where it belongs."""
    config = config_of(
        tmp_path,
        """
        [daemon]
        socket = "/run/x.sock"
        socket_mode = "0660"
        drain_timeout_s = 1
        job_timeout_s = 2.5
        job_timeout_max_s = 3
        remember_s = 0
        keys_file = "/run/keys"
        visit_warn_s = 0.5
        policy_mode = "audit"
        log_level = "debug"
        [limits]
        peers = 1
        in_flight_per_peer = 2
        jobs = 3
        line_bytes = 1024
        inline_bytes = 0
        unread_bytes = 2048
        peers_per_uid = 4
        in_flight_per_uid = 5
        requests_per_s_per_uid = 6
        buffered_bytes = 1048576
        unread_timeout_s = 7
        half_sent_timeout_s = 8
        idle_timeout_s = 9
        streams_per_peer = 10
        descriptors_per_uid = 11
        [pool]
        slots_per_host = 4
        total_slots = 9
        max_waiting = 0
        max_waiting_per_uid = 8
        slot_timeout_s = 0.5
        connect_timeout_s = 6
        idle_timeout_s = 7
        ca_file = "/etc/hosts"
        [profile.default]
        region = "eu-central-1"
        retries = 0
        warm_sockets = { sqs = 4, sdb = 0 }
        [profile.backup]
        endpoints.s3 = "http://127.0.0.1:9000"
        endpoints.sqs = "https://[::1]/"
        """,
    )
    daemon, limits, pool = config.daemon, config.limits, config.pool
    assert (daemon.socket, daemon.socket_mode, daemon.log_level) == (
        "/run/x.sock",
        "0660",
        "debug",
    )
    assert (daemon.drain_timeout_s, daemon.job_timeout_s, daemon.job_timeout_max_s) == (1, 2.5, 3)
    assert (daemon.visit_warn_s, daemon.remember_s) == (0.5, 0)
    assert daemon.policy_mode == "audit"
    assert daemon.keys_file == "/run/keys"
    assert (limits.peers, limits.in_flight_per_peer, limits.jobs) == (1, 2, 3)
    assert (limits.line_bytes, limits.inline_bytes, limits.unread_bytes) == (1024, 0, 2048)
    assert (limits.peers_per_uid, limits.in_flight_per_uid) == (4, 5)
    assert (limits.requests_per_s_per_uid, limits.buffered_bytes) == (6, 1048576)
    assert (limits.unread_timeout_s, limits.half_sent_timeout_s) == (7, 8)
    assert (limits.idle_timeout_s, limits.streams_per_peer) == (9, 10)
    assert limits.descriptors_per_uid == 11
    assert (pool.slots_per_host, pool.max_waiting, pool.ca_file) == (4, 0, "/etc/hosts")
    assert (pool.total_slots, pool.max_waiting_per_uid) == (9, 8)
    assert (pool.slot_timeout_s, pool.connect_timeout_s, pool.idle_timeout_s) == (0.5, 6, 7)
    assert config.profiles == {
        "default": ProfileSettings(
            region="eu-central-1", retries=0, warm_sockets={"sqs": 4, "sdb": 0}
        ),
        "backup": ProfileSettings(
            endpoints={"s3": "http://127.0.0.1:9000", "sqs": "https://[::1]/"}
        ),
    }


def test_whole_numbers_do_for_seconds(tmp_path: Path) -> None:
    """They become floats, as the rest of the daemon expects."""
    assert isinstance(config_of(tmp_path, "[pool]\nidle_timeout_s = 7").pool.idle_timeout_s, float)


@pytest.mark.parametrize("name", BOUNDED)
def test_defaults_are_within_their_bounds(tmp_path: Path, name: str) -> None:
    """A file with all settings at their defaults is a good one."""
    section, _dot, key = name.rpartition(".")
    setting = BOUNDED[name]
    config = config_of(tmp_path, f"[{section}]\n{key} = {setting.default!r}")
    assert value_of(config, name) == setting.default
    assert config == Config()


@pytest.mark.parametrize("name", BOUNDED)
@pytest.mark.parametrize("end", [0, 1])
def test_bounds(tmp_path: Path, name: str, end: int) -> None:
    """The bounds themselves are allowed; a step beyond is refused, by name and with both bounds."""
    section, _dot, key = name.rpartition(".")
    setting = BOUNDED[name]
    low, high = setting.metadata["bounds"]
    bound = (low, high)[end]
    rest = {
        "daemon.job_timeout_s": "job_timeout_max_s = 86400\n",
        "limits.inline_bytes": "buffered_bytes = 8589934592\n",
        "limits.buffered_bytes": "inline_bytes = 0\n",
    }
    beside = rest.get(name, "job_timeout_s = 1\n" if name == "daemon.job_timeout_max_s" else "")
    good = config_of(tmp_path, f"[{section}]\n{beside}{key} = {bound}")
    assert value_of(good, name) == bound
    step = 1 if isinstance(setting.default, int) else 0.001
    beyond = bound + (step if end else -step)
    assert mistakes_in(tmp_path, f"[{section}]\n{beside}{key} = {beyond!r}") == [
        f"[{section}] {key} = {beyond!r}: has to be from {low:.10g} to {high:.10g}"
    ]


@pytest.mark.parametrize("name", BOUNDED)
@pytest.mark.parametrize("value", ['"7"', "true", "[7]", "1979-05-27", "nan", "inf"])
def test_what_is_not_a_number(tmp_path: Path, name: str, value: str) -> None:
    """Texts, flags, lists, dates and what only looks like a number are refused by name."""
    section, _dot, key = name.rpartition(".")
    (mistake,) = mistakes_in(tmp_path, f"[{section}]\n{key} = {value}")
    assert mistake.startswith(f"[{section}] {key} = ")
    assert "has to be" in mistake


def test_a_message_has_to_fit_into_what_all_have(tmp_path: Path) -> None:
    """Or the largest would be refused always."""
    assert mistakes_in(tmp_path, "[limits]\nbuffered_bytes = 1048576") == [
        "[limits] inline_bytes = 16777216: has to be at most buffered_bytes, 1048576"
    ]


def test_a_count_has_no_fraction(tmp_path: Path) -> None:
    """Half a connection there is not."""
    assert mistakes_in(tmp_path, "[limits]\npeers = 1.5") == [
        "[limits] peers = 1.5: has to be a whole number"
    ]


def test_a_file_of_roots_that_is_not_there(tmp_path: Path) -> None:
    """Told at the start, not by each job that then trusts nobody."""
    assert mistakes_in(tmp_path, '[pool]\nca_file = "/no/such/file"') == [
        "[pool] ca_file = '/no/such/file': there is no such file that can be read"
    ]


@pytest.mark.parametrize("path", ["/tmp/" + "x" * 103, "/tmp/nul\\u0000"])
def test_a_path_that_no_socket_can_have(tmp_path: Path, path: str) -> None:
    """Longer than the kernel takes, or with a NUL in it."""
    (mistake,) = mistakes_in(tmp_path, f'[daemon]\nsocket = "{path}"')
    assert "has to be a path of at most 107 bytes" in mistake


@pytest.mark.parametrize("value", ['"keys"', '"/run/\\u0000"', "1"])
def test_a_keys_file_is_named_the_same_from_everywhere(tmp_path: Path, value: str) -> None:
    """Daemons may run in different directories."""
    (mistake,) = mistakes_in(tmp_path, f"[daemon]\nkeys_file = {value}")
    assert mistake.startswith("[daemon] keys_file = ")
    assert mistake.endswith("has to be a path that begins with /, the same for all who share it")


@pytest.mark.parametrize("setting", ["daemon.socket", "pool.ca_file"])
def test_what_is_not_a_text(tmp_path: Path, setting: str) -> None:
    """A path without quotes is told what it lacks."""
    section, _dot, key = setting.partition(".")
    assert mistakes_in(tmp_path, f"[{section}]\n{key} = 7") == [
        f"[{section}] {key} = 7: has to be a text in quotes"
    ]


@pytest.mark.parametrize(("name", "choice"), CHOICES)
def test_choices(tmp_path: Path, name: str, choice: str) -> None:
    """All that are listed are allowed."""
    section, _dot, key = name.rpartition(".")
    config = config_of(tmp_path, f'[{section}]\n{key} = "{choice}"')
    assert value_of(config, name) == choice


@pytest.mark.parametrize("value", ['"INFO"', '""', "20", "[]"])
def test_what_is_no_log_level(tmp_path: Path, value: str) -> None:
    """The message lists those that are."""
    (mistake,) = mistakes_in(tmp_path, f"[daemon]\nlog_level = {value}")
    assert mistake.endswith(": has to be one of debug, info, warning, error")


@pytest.mark.parametrize("value", ['"0660"', '"600"', '"0"', '"777"'])
def test_socket_modes(tmp_path: Path, value: str) -> None:
    """Octal, with or without the leading nought."""
    assert config_of(tmp_path, f"[daemon]\nsocket_mode = {value}")


@pytest.mark.parametrize("value", ['"0668"', '"1777"', "0o660", '"rw"', '"-6"', '""', '"0o660"'])
def test_what_is_no_socket_mode(tmp_path: Path, value: str) -> None:
    """Not octal, with bits that are no rights, or without quotes."""
    (mistake,) = mistakes_in(tmp_path, f"[daemon]\nsocket_mode = {value}")
    assert mistake.startswith("[daemon] socket_mode = ")
    assert mistake.endswith(': has to be octal in quotes, like "0660"')


@pytest.mark.parametrize("value", ['"eu central"', '""', "1", '"evil.com/"', '"größe"', '"-"'])
def test_what_is_no_region(tmp_path: Path, value: str) -> None:
    """It becomes part of a host name."""
    (mistake,) = mistakes_in(tmp_path, f"[profile.default]\nregion = {value}")
    assert mistake.startswith("[profile.default] region = ")
    assert mistake.endswith(': has to be a region\'s name, like "eu-central-1"')


@pytest.mark.parametrize(
    "url",
    [
        "127.0.0.1:9000",
        "ftp://h",
        "http://",
        "http://:80",
        "http://h:0",
        "http://h:99999",
        "http://h:x",
        "http://h/path",
        "http://h?q",
        "http://[::1",
    ],
)
def test_what_is_no_endpoint(tmp_path: Path, url: str) -> None:
    """The mistake names the service and the form."""
    assert mistakes_in(tmp_path, f'[profile.p]\nendpoints.s3 = "{url}"') == [
        f"[profile.p] endpoints = {{'s3': '{url}'}}: s3: {ENDPOINT_FORM}"
    ]


def test_endpoints_of_unknown_services(tmp_path: Path) -> None:
    """The mistake says which services have a name like it."""
    (mistake,) = mistakes_in(tmp_path, '[profile.p]\nendpoints.dynamo = "http://h"')
    assert ": dynamo: unknown service; did you mean dynamodb" in mistake
    assert mistake.endswith("`botod services` lists them")
    (mistake,) = mistakes_in(tmp_path, '[profile.p]\nendpoints = "http://h"')
    assert mistake.endswith(': has to be a table: endpoints.s3 = "https://…"')
    (mistake,) = mistakes_in(tmp_path, "[profile.p]\nendpoints.s3 = 7")
    assert mistake.endswith("s3: has to be http://host[:port] or https://host[:port]")


@pytest.mark.parametrize(
    ("value", "mistake"),
    [
        ("2", "warm_sockets = 2: has to be a table: warm_sockets.sqs = 2"),
        (
            "{ e3 = 1 }",
            "warm_sockets = {'e3': 1}: e3: unknown service; `botod services` lists them",
        ),
        ("{ sqs = 1.5 }", "warm_sockets = {'sqs': 1.5}: sqs: has to be a whole number"),
        ("{ sqs = true }", "warm_sockets = {'sqs': True}: sqs: has to be a whole number"),
        ("{ sqs = -1 }", "warm_sockets.sqs = -1: has to be from 0 to slots_per_host, 64"),
        ("{ sqs = 65 }", "warm_sockets.sqs = 65: has to be from 0 to slots_per_host, 64"),
        (
            "{ s3 = 1 }",
            "warm_sockets.s3 = 1: needs endpoints.s3; at AWS each bucket has its own host",
        ),
    ],
)
def test_warm_sockets_that_cannot_be(tmp_path: Path, value: str, mistake: str) -> None:
    """More than there are slots, to hosts that are not known yet, or of no service."""
    assert mistakes_in(tmp_path, f"[profile.p]\nwarm_sockets = {value}") == [
        f"[profile.p] {mistake}"
    ]


def test_as_many_warm_sockets_as_slots(tmp_path: Path) -> None:
    """The bounds themselves are allowed, and s3 where it has an endpoint."""
    config = config_of(
        tmp_path,
        """
        [pool]
        slots_per_host = 100
        [profile.p]
        endpoints.s3 = "http://127.0.0.1:9000"
        warm_sockets = { s3 = 100, sqs = 0 }
        """,
    )
    assert config.profiles["p"].warm_sockets == {"s3": 100, "sqs": 0}


def test_unknown_settings_and_sections(tmp_path: Path) -> None:
    """The mistake says which there are."""
    assert mistakes_in(tmp_path, "[pol]\n[pool]\nslots = 1\n[profile.p]\nregoin = 1\n") == [
        f"[pol]: unknown section; there are: {THERE}",
        f"[pool] slots: unknown setting; there are: {', '.join(POOL)}",
        f"[profile.p] regoin: unknown setting; there are: {', '.join(PROFILE)}",
    ]


@pytest.mark.parametrize("value", ["1", '"yes"', "0.5", "[]"])
def test_a_flag_is_true_or_false(tmp_path: Path, value: str) -> None:
    """A number is none."""
    (mistake,) = mistakes_in(tmp_path, f"[profile.default]\nsqs_batching = {value}")
    assert mistake.startswith("[profile.default] sqs_batching = ")
    assert mistake.endswith(": has to be true or false")


def test_a_setting_where_a_section_should_be(tmp_path: Path) -> None:
    """The mistake shows how a section is written."""
    assert mistakes_in(tmp_path, "pool = 7\nprofile = 8") == [
        "pool: has to be a section, [pool]",
        "profile: write [profile.NAME]",
    ]
    assert mistakes_in(tmp_path, 'profile.p = "x"') == [
        "profile.p: has to be a section, [profile.p]"
    ]


def test_all_mistakes_are_named_at_once(tmp_path: Path) -> None:
    """One does not have to start the daemon once a mistake."""
    assert mistakes_in(
        tmp_path,
        """
        [zzz]
        [aaa]
        [daemon]
        log_level = "loud"
        drain_timeout_s = -1
        [limits]
        peers = 0
        [profile.p]
        retries = 11
        """,
    ) == [
        f"[aaa]: unknown section; there are: {THERE}",
        f"[zzz]: unknown section; there are: {THERE}",
        "[daemon] log_level = 'loud': has to be one of debug, info, warning, error",
        "[daemon] drain_timeout_s = -1: has to be from 0 to 3600",
        "[limits] peers = 0: has to be from 1 to 100000",
        "[profile.p] retries = 11: has to be from 0 to 10",
    ]


def test_the_default_deadline_is_within_the_longest(tmp_path: Path) -> None:
    """Otherwise every job that names no deadline would be refused for one that it did not name."""
    assert mistakes_in(tmp_path, "[daemon]\njob_timeout_max_s = 30") == [
        "[daemon] job_timeout_s = 60.0: has to be at most job_timeout_max_s, 30"
    ]


@pytest.mark.parametrize(
    "text",
    [
        b"[daemon\n",
        b"= 7",
        b"[a]\n[a]\n",
        b"\xff\xfe",
        b"[limits]\npeers = 1\npeers = 2\n",
        b"x = " + b"[" * 100_000,
        b"x = " + b"9" * 10_000,
    ],
)
def test_what_is_not_toml(tmp_path: Path, text: bytes) -> None:
    """The message names the file."""
    path = tmp_path / "botod.toml"
    path.write_bytes(text)
    with pytest.raises(ConfigError) as caught:
        load(str(path))
    assert str(caught.value).startswith(f"{path}: not TOML: ")


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    """Missing, or a folder: named, with the system's words."""
    missing = tmp_path / "missing.toml"
    with pytest.raises(ConfigError) as caught:
        load(str(missing))
    assert str(caught.value) == f"{missing}: No such file or directory"
    with pytest.raises(ConfigError, match="Is a directory"):
        load(str(tmp_path))


KEYS = st.sampled_from([*SECTIONS, "profile", "default", "endpoints", "s3", "region", "x y"]) | (
    st.sampled_from([setting.name for kind in SECTIONS.values() for setting in fields(kind)])
)
LEAVES = (
    st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats()
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.sampled_from(["info", "0660", "http://h:1", "http://[::1]:80", "eu-central-1"])
)
TABLES = st.dictionaries(
    KEYS,
    st.recursive(
        LEAVES,
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=4),
        max_leaves=12,
    ),
    max_size=4,
)


def as_toml(value: Any) -> str:
    """A value in TOML's inline form."""
    if isinstance(value, dict):
        return (
            "{" + ", ".join(f"{_text(key)} = {as_toml(item)}" for key, item in value.items()) + "}"
        )
    if isinstance(value, list):
        return "[" + ", ".join(map(as_toml, value)) + "]"
    return _text(value) if isinstance(value, str) else repr(value).lower()


def _text(value: str) -> str:
    return '"' + "".join(f"\\U{ord(char):08x}" for char in value) + '"'


@settings(deadline=None)
@given(TABLES)
def test_whatever_stands_in_a_file_it_is_read_or_refused(tables: dict[str, Any]) -> None:
    """No other error than ConfigError, and what is accepted is within all bounds."""
    with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
        file.writelines(f"{_text(key)} = {as_toml(value)}\n" for key, value in tables.items())
        file.flush()
        with Path(file.name).open("rb") as again:
            tomllib.load(again)  # so what is refused below is refused for what it says
        try:
            config = load(file.name)
        except ConfigError:
            return
    for name, setting in BOUNDED.items():
        low, high = setting.metadata["bounds"]
        assert low <= value_of(config, name) <= high
