"""Whether the configuration can be read and is good, and whom its rules serve."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from botod.daemon.callers import OVERFLOW_ID, Caller
from botod.daemon.config import Config, ConfigError, load
from botod.daemon.doctor.finding import Finding, Level, bad, doubtful, good
from botod.daemon.doctor.rights import OTHERS_WRITE, READ, closed_to, may, rights_text
from botod.daemon.policy import Policy
from botod.daemon.rules import Rule

PROXY_VARIABLES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY")

REGION_VARIABLES = ("AWS_REGION", "AWS_DEFAULT_REGION")


def read(path: str | None) -> tuple[Config | None, list[Finding]]:
    """The configuration, and what is wrong with it; None: it cannot be used."""
    if path is None:
        return Config(), [good("config", "no file: all settings are at their defaults")]
    try:
        config = load(path)
    except ConfigError as error:
        return None, [bad("config", words, _cure(words)) for words in str(error).splitlines()]
    counts = f"{len(config.profiles)} profiles, {len(config.rules)} rules"
    return config, [good("config", f"{path}: {counts}")]


def look_at_file(path: str, daemon: Caller) -> Iterator[Finding]:
    """Who may read and write the configuration's file."""
    try:
        found = Path(path).stat()
        closed = closed_to(daemon, path)
    except OSError:
        return  # to read it failed, and said so
    if closed is not None or not may(daemon, found, READ):
        yield bad(
            "config",
            f"{path}: {daemon}, the daemon's, may not read it ({closed or rights_text(found)})",
            f"chgrp it to the daemon's group and chmod 0640 it, and let it enter {closed or '/'}",
        )
    if found.st_mode & OTHERS_WRITE:
        yield bad(
            "config",
            f"{path}: others than its owner may write it ({rights_text(found)}): they make rules",
            f"chmod go-w {path}",
        )


def look_at_policy(
    config: Config, caller: Caller, daemon: Caller, refusal: str, *, is_served: bool
) -> Iterator[Finding]:
    """Whether a user is served at all.

    refusal: what the daemon has said to this user; or empty. is_served: it has answered this user.
    """
    if config.daemon.policy_mode == "audit":
        yield doubtful(
            "policy",
            "policy_mode is audit: every local user may use the daemon's keys",
            'set it to "enforce" once the log has no more "audit:" lines',
        )
    if caller.uid == OVERFLOW_ID and not is_served:
        yield bad(
            "policy",
            f"{caller} is what every unmapped user looks like, and is always refused",
            "ask as another user; in a container, map its user to one of the host's",
        )
        return
    finding = _served(config, caller, daemon)
    if is_served and finding.level is Level.FAIL:
        finding = doubtful(
            "policy",
            f"the daemon serves who asks, and by this configuration it would not serve {caller}",
            "it has another configuration, which --config names; or knows this user by the number "
            "outside of this user namespace",
        )
    if refusal and finding.level is Level.OK:
        finding = bad(
            "policy",
            f"the daemon says: {refusal}; by this configuration and as user {daemon.uid} it would "
            "serve",
            "name the configuration that it has with --config, and its user with --daemon-user; or "
            "restart it",
        )
    yield finding


def look_around(config: Config, environment: Mapping[str, str]) -> Iterator[Finding]:
    """What stands in the environment and is not looked at."""
    proxies = [name for name in PROXY_VARIABLES if environment.get(name)]
    without = [name for name, profile in config.profiles.items() if not profile.proxy]
    if proxies and without:
        yield doubtful(
            "proxy",
            f"{proxies[0]} is set, and the daemon does not look at it",
            f"if AWS is behind it, set proxy in [profile.{without[0]}]",
        )
    for variable in REGION_VARIABLES:
        for name, profile in config.profiles.items():
            region = environment.get(variable)
            if region and name == "default" and region != profile.region:
                yield doubtful(
                    "region",
                    f"{variable} is {region}, profile {name!r} is in {profile.region}",
                    f'the daemon goes by region in [profile.{name}]: set it to "{region}" if that '
                    "is where buckets and queues are",
                )
                return


def _cure(words: str) -> str:
    if "unknown setting" in words or "unknown section" in words:
        return (
            "it is misspelt, or of another version of botod: rename or remove it; docs/settings.md "
            "has all there are, docs/upgrade.md what became of old ones"
        )
    if "No such file" in words:
        return "make it, best from etc/botod.toml, or name another with --config"
    if "Permission denied" in words:
        return "run this as root or as the daemon's user"
    if "no region of AWS's" in words:
        return "name the region in which buckets and queues are"
    return "mend it: the daemon does not start with it (exit status 78)"


def _served(config: Config, caller: Caller, daemon: Caller) -> Finding:
    policy = Policy(daemon.uid, rules=config.rules)
    if policy.decide(caller, "botod.ping", (None,), "default").is_allowed:
        return good("policy", f"{caller} is served")
    if any(caller.may_be(rule.who) and _allows(rule) for rule in config.rules):
        return doubtful(
            "policy",
            f"{caller} is served in some systemd units or control groups only",
            f"ask `botod policy check --user {caller.uid} --unit NAME OPERATION`",
        )
    rules = f"none of {len(config.rules)} rules is about it" if config.rules else "no rules"
    return bad(
        "policy",
        f"{caller} may have nothing done: {rules}, and the daemon's own user is {daemon.uid}",
        f'write [[policy]] with uid = {caller.uid} and allow = ["s3.* on BUCKET/*"] into the '
        "configuration: docs/policy.md; then restart the daemon",
    )


def _allows(rule: Rule) -> bool:
    return bool(rule.allow)
