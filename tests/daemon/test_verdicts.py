"""Which line decides: the tables say what reading the rules from the top would."""

import dataclasses
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from botod.daemon.callers import Caller
from botod.daemon.rules import Line, Place, Rule, Who, matcher
from botod.daemon.services import CATALOG
from botod.daemon.verdicts import Book, Decision, Table, Tables, Verdict


def naive_one(
    rules: Sequence[Rule], caller: Caller, method: str, resource: str | None, profile: str
) -> tuple[Rule, Line, bool] | None:
    """The first line that is about it."""
    for rule in rules:
        if rule.profiles is not None and profile not in rule.profiles:
            continue
        for line in rule.deny:
            is_on = resource is None or matcher(line.resource).match(resource)
            if caller.may_be(rule.who) and line.covers(method) and is_on:
                return rule, line, False
        for line in rule.allow:
            told = line.resource if resource is None else resource
            is_on = line.resource == "*" or (
                resource is not None and matcher(line.resource).match(told)
            )
            if caller.surely_is(rule.who) and line.covers(method) and is_on:
                return rule, line, True
    return None


def naive(
    rules: Sequence[Rule],
    caller: Caller,
    method: str,
    resources: Sequence[str | None],
    profile: str,
) -> bool:
    """Whether all of a job's resources are allowed."""
    found = [naive_one(rules, caller, method, resource, profile) for resource in resources]
    return bool(found) and all(one is not None and one[2] for one in found)


OPERATIONS = ["s3.get_object", "s3.put_object", "s3.*", "*", "*_object", "sqs.send_message"]
PATTERNS = st.text("ab/*", min_size=1, max_size=5) | st.just("*")
LINES = st.builds(Line, st.sampled_from(OPERATIONS), PATTERNS)
WHO = st.builds(
    Who,
    uid=st.sampled_from([None, 1, 2]),
    gid=st.sampled_from([None, None, 5, 6]),
    unit=st.sampled_from(["", "", "w*.service"]),
)
RULES = st.lists(
    st.builds(
        Rule,
        WHO,
        st.lists(LINES, max_size=3).map(tuple),
        st.lists(LINES, max_size=2).map(tuple),
        st.sampled_from([None, None, frozenset({"default"}), frozenset({"b", "c"})]),
    ),
    max_size=8,
)
CALLERS = st.builds(
    Caller,
    st.sampled_from([1, 2]),
    st.sets(st.sampled_from([5, 6])).map(frozenset),
    st.sets(st.sampled_from([5, 6])).map(frozenset),
    st.sampled_from([None, "/", "/system.slice/web.service"]),
)
RESOURCES = st.lists(st.none() | st.text("ab/", max_size=6), max_size=3)


@settings(max_examples=300)
@given(
    RULES, CALLERS, st.sampled_from(OPERATIONS[:2]), RESOURCES, st.sampled_from(["default", "b"])
)
def test_a_decision_is_that_of_the_first_line(
    rules: list[Rule],
    caller: Caller,
    method: str,
    resources: list[str | None],
    profile: str,
) -> None:
    """Whatever the order of rules, patterns, callers, profiles and resources."""
    table = Tables(caller, Book(rules)).table(method, profile)
    assert table.decide(resources).is_allowed == naive(rules, caller, method, resources, profile)
    for resource in resources:
        verdict = table.verdict(resource)
        expected = naive_one(rules, caller, method, resource, profile)
        if verdict is None or expected is None:
            assert verdict is expected
        else:
            assert (verdict.rule, verdict.line, verdict.is_allow) == expected


def verdict(resource: str, *, is_allow: bool) -> Verdict:
    """A line about anything."""
    return Verdict(is_allow, Line("*", resource), Rule(Who()))


def test_of_several_resources_any_deny_denies() -> None:
    """The refusal has the one that was refused."""
    denied, allowed = verdict("a/secret", is_allow=False), verdict("a/*", is_allow=True)
    table = Table([denied, allowed])
    assert table.decide(["a/b", "a/c"]) == Decision(True, "a/c", allowed)
    assert table.decide(["a/b", "a/secret", "a/c"]) == Decision(False, "a/secret", denied)
    assert table.decide(["a/b", "b/b"]) == Decision(False, "b/b", None)
    assert not table.decide([]).is_allowed


def test_a_resource_that_cannot_be_told() -> None:
    """It matches every deny, and of what allows only lines on everything."""
    some, all_of, deny = (
        verdict("a/*", is_allow=True),
        verdict("*", is_allow=True),
        verdict("z", is_allow=False),
    )
    assert Table([some]).verdict(None) is None
    assert Table([some, all_of]).verdict(None) is all_of
    assert Table([some, all_of, deny]).verdict(None) is all_of
    assert Table([some, deny, all_of]).verdict(None) is deny


def test_what_has_to_be_named_is_not_covered_by_a_wildcard() -> None:
    """Where an operation says so; a deny covers it all the same, and one may allow even these."""
    assert CATALOG.operation("sts", "assume_role").is_explicit
    assert not CATALOG.operation("sts", "get_caller_identity").is_explicit
    wild = Rule(Who(), allow=(Line("sts.*"), Line("*")))
    named = Rule(Who(), allow=(Line("sts.assume_role", "a/*"),))
    denied = Rule(Who(), deny=(Line("sts.*", "a/b"),))

    def decision(*rules: Rule, method: str = "sts.assume_role") -> bool:
        tables = Tables(Caller(1), Book(rules))
        assert tables.may_call(method) or not tables.table(method, "default").may_allow
        return tables.table(method, "default").decide(["a/b"]).is_allowed

    assert decision(Rule(Who(), allow=(Line("*", is_for_explicit=True),)))
    assert not decision(wild)
    assert decision(wild, method="sts.get_caller_identity")
    assert decision(wild, named)
    assert not decision(denied, named)


def test_names_that_a_peer_chooses_are_not_kept() -> None:
    """Neither methods that there are not nor profiles that no rule names take memory."""
    tables = Tables(Caller(1), Book([Rule(Who(), (Line("*"),), profiles=frozenset({"b"}))]))
    for number in range(50):
        tables.table(f"s3.x{number}", "default")
        tables.table("s3.get_object", f"p{number}")
        assert tables.may_call(f"s3.x{number}")
    assert len(tables._tables) == 1
    assert not tables.known


def test_verdicts_in_words() -> None:
    """Where the rule stands, and its line."""
    place = Place("/etc/x.toml", 2, 7)
    rule = dataclasses.replace(Rule(Who()), place=place)
    assert str(Verdict(True, Line("sqs.*", "orders"), rule)) == (
        '/etc/x.toml: line 7: [[policy]] 2: allow "sqs.* on orders"'
    )
