"""SimpleDB's data model: domains, items, attributes, their limits and their conditions."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botod.daemon.demo.domains import Domains, Expected, Metadata, Put, Removal
from botod.daemon.demo.errors import Refused


@pytest.fixture
def domains() -> Domains:
    """One domain with one item."""
    domains = Domains()
    domains.create("dom")
    domains.put("dom", "item", [Put("a", "1"), Put("b", "1"), Put("b", "2")])
    return domains


def code_of(call: Callable[[], object]) -> str:
    """The code of the error that a call is refused with."""
    with pytest.raises(Refused) as caught:
        call()
    return caught.value.code


def test_domains_are_created_listed_and_deleted() -> None:
    """Creating a domain twice, or deleting one that is not there, changes nothing."""
    domains = Domains()
    for name in ("two", "one", "one"):
        domains.create(name)
    assert domains.list_names() == (["one", "two"], "")
    domains.delete("one")
    domains.delete("one")
    assert domains.list_names() == (["two"], "")


def test_creating_a_domain_again_keeps_what_is_in_it(domains: Domains) -> None:
    """A second CreateDomain leaves the items alone."""
    domains.create("dom")
    assert domains.get("dom", "item")["a"] == ("1",)


@pytest.mark.parametrize("name", ["", "ab", "a" * 256, "with space", "bad:name", "é" * 5, "abc\n"])
def test_bad_names_of_domains_are_refused(name: str) -> None:
    """A domain's name has 3 to 255 characters of a small set."""
    assert code_of(lambda: Domains().create(name)) == "InvalidParameterValue"


def test_there_are_at_most_250_domains() -> None:
    """One more is refused; one that is there already is not one more."""
    domains = Domains()
    for number in range(250):
        domains.create(f"domain{number}")
    domains.create("domain0")
    assert code_of(lambda: domains.create("another")) == "NumberDomainsExceeded"


def test_domains_are_listed_in_pages() -> None:
    """Each page goes on after the last name of the one before."""
    domains = Domains()
    for number in range(5):
        domains.create(f"domain{number}")
    first, token = domains.list_names(3)
    second, end = domains.list_names(3, token)
    assert [*first, *second] == [f"domain{number}" for number in range(5)]
    assert not end


@pytest.mark.parametrize(("maximum", "token"), [(0, ""), (101, "")])
def test_a_page_of_domains_has_1_to_100(maximum: int, token: str) -> None:
    """Any other MaxNumberOfDomains is an InvalidParameterValue."""
    assert code_of(lambda: Domains().list_names(maximum, token)) == "InvalidParameterValue"


@pytest.mark.parametrize("token", ["x", "é", "/w=="])
def test_a_bad_token_of_domains_is_refused(token: str) -> None:
    """A token that did not come from a list is an InvalidNextToken."""
    assert code_of(lambda: Domains().list_names(1, token)) == "InvalidNextToken"


def test_what_needs_a_domain_says_if_there_is_none() -> None:
    """Every call on a domain that is not there is a NoSuchDomain."""
    domains = Domains()
    calls: list[Callable[[], object]] = [
        lambda: domains.metadata("none"),
        lambda: domains.put("none", "item", [Put("a", "1")]),
        lambda: domains.batch_put("none", [("item", [Put("a", "1")])]),
        lambda: domains.get("none", "item"),
        lambda: domains.delete_attributes("none", "item"),
        lambda: domains.batch_delete("none", [("item", [])]),
        lambda: domains.select("select * from none"),
    ]
    assert {code_of(call) for call in calls} == {"NoSuchDomain"}


def test_values_are_a_set_in_order(domains: Domains) -> None:
    """A value that is put twice is there once, and values come in order."""
    domains.put("dom", "item", [Put("a", "0"), Put("a", "1"), Put("a", "1")])
    assert domains.get("dom", "item") == {"a": ("0", "1"), "b": ("1", "2")}


def test_replace_takes_the_old_values_away_and_keeps_all_new_ones(domains: Domains) -> None:
    """Of the attributes put with replace, only what this call put is left."""
    domains.put("dom", "item", [Put("b", "8", replace=True), Put("b", "9"), Put("a", "2")])
    assert domains.get("dom", "item") == {"a": ("1", "2"), "b": ("8", "9")}


def test_attributes_are_got_all_or_by_name(domains: Domains) -> None:
    """Names that the item does not have are left out; an item that is not there has none."""
    assert domains.get("dom", "item", ["b", "none"]) == {"b": ("1", "2")}
    assert domains.get("dom", "another") == {}


def test_an_empty_value_is_a_value_and_an_empty_name_is_none(domains: Domains) -> None:
    """SimpleDB stores empty values, and refuses empty names."""
    domains.put("dom", "item", [Put("a", "", replace=True)])
    assert domains.get("dom", "item")["a"] == ("",)
    assert code_of(lambda: domains.put("dom", "item", [Put("", "x")])) == "InvalidParameterValue"
    assert code_of(lambda: domains.put("dom", "", [Put("a", "x")])) == "InvalidParameterValue"


def test_names_and_values_have_at_most_1024_bytes(domains: Domains) -> None:
    """The bound is of bytes in UTF-8, not of characters."""
    fits, too_long = "é" * 512, "é" * 512 + "x"
    domains.put("dom", fits, [Put(fits, fits)])
    for item, name, value in (
        (too_long, "a", "1"),
        ("item", too_long, "1"),
        ("item", "a", too_long),
    ):
        puts = [Put(name, value)]
        assert code_of(lambda i=item, p=puts: domains.put("dom", i, p)) == "InvalidParameterValue"


def test_a_call_and_an_item_hold_256_pairs(domains: Domains) -> None:
    """More in one call, or more in the item than before and now together, is refused."""
    pairs = [Put("a", f"{number}") for number in range(257)]
    too_many = "NumberSubmittedAttributesExceeded"
    assert code_of(lambda: domains.put("dom", "new", pairs)) == too_many
    domains.put("dom", "new", pairs[:256])
    exceeded = "NumberItemAttributesExceeded"
    assert code_of(lambda: domains.put("dom", "new", [Put("b", "1")])) == exceeded
    domains.put("dom", "new", [Put("a", "7")])
    domains.put("dom", "new", [Put("a", "only", replace=True)])
    assert domains.get("dom", "new") == {"a": ("only",)}


@pytest.mark.parametrize(
    ("expected", "code"),
    [
        (Expected("a", "1"), None),
        (Expected("none", exists=False), None),
        (Expected("a", "2"), "ConditionalCheckFailed"),
        (Expected("a", exists=False), "ConditionalCheckFailed"),
        (Expected("none", "1"), "AttributeDoesNotExist"),
        (Expected("b", "1"), "MultiValuedAttribute"),
        (Expected("a"), "IncompleteExpectedExpression"),
        (Expected("a", "1", exists=False), "ExistsAndExpectedValue"),
        (Expected("", "1"), "InvalidParameterValue"),
    ],
)
def test_a_change_may_depend_on_what_is_there(
    domains: Domains, expected: Expected, code: str | None
) -> None:
    """A put and a delete are done if what was expected is so, and else change nothing."""
    before = domains.get("dom", "item")
    calls: list[Callable[[], None]] = [
        lambda: domains.put("dom", "item", [Put("new", "1")], expected),
        lambda: domains.delete_attributes("dom", "item", [], expected),
    ]
    for call in calls:
        if code is None:
            call()
        else:
            assert code_of(call) == code
    assert domains.get("dom", "item") == ({} if code is None else before)


@pytest.mark.parametrize(
    ("code", "status"),
    [("ConditionalCheckFailed", 409), ("AttributeDoesNotExist", 404), ("NoSuchDomain", 400)],
)
def test_errors_have_simpledbs_status(code: str, status: int) -> None:
    """The status follows from the code."""
    assert Refused(code, "why").status == status


@pytest.mark.parametrize(
    ("removals", "left"),
    [
        ([], {}),
        ([Removal("b")], {"a": ("1",)}),
        ([Removal("b", "1")], {"a": ("1",), "b": ("2",)}),
        ([Removal("b", "1"), Removal("b", "2")], {"a": ("1",)}),
        ([Removal("b", "1"), Removal("b")], {"a": ("1",)}),
        ([Removal("b", "none"), Removal("none")], {"a": ("1",), "b": ("1", "2")}),
        ([Removal("a"), Removal("b")], {}),
    ],
)
def test_items_attributes_and_values_are_deleted(
    domains: Domains, removals: list[Removal], left: dict[str, tuple[str, ...]]
) -> None:
    """A deletion is of the item, of attributes or of values, alone and in a batch."""
    domains.put("dom", "other", [Put("a", "1"), Put("b", "1"), Put("b", "2")])
    domains.delete_attributes("dom", "item", removals)
    domains.batch_delete("dom", [("other", removals), ("none", removals)])
    assert domains.get("dom", "item") == domains.get("dom", "other") == left
    assert domains.metadata("dom").item_count == (2 if left else 0)


def test_a_batch_puts_up_to_25_items(domains: Domains) -> None:
    """The items of a batch are put like single ones, and there are at most 25."""
    batch = [(f"item{number}", [Put("a", "1")]) for number in range(26)]
    assert code_of(lambda: domains.batch_put("dom", batch)) == "NumberSubmittedItemsExceeded"
    assert code_of(lambda: domains.batch_delete("dom", batch)) == "NumberSubmittedItemsExceeded"
    domains.batch_put("dom", batch[:25])
    assert domains.metadata("dom").item_count == 26


def test_a_batch_names_each_item_once_and_is_not_empty(domains: Domains) -> None:
    """An item twice is a DuplicateItemName, and nothing at all a MissingParameter."""
    twice = [("same", [Put("a", "1")]), ("same", [Put("b", "1")])]
    assert code_of(lambda: domains.batch_put("dom", twice)) == "DuplicateItemName"
    assert code_of(lambda: domains.batch_put("dom", [])) == "MissingParameter"
    assert code_of(lambda: domains.batch_put("dom", [("one", [])])) == "MissingParameter"
    assert code_of(lambda: domains.put("dom", "one", [])) == "MissingParameter"
    assert code_of(lambda: domains.batch_delete("dom", [])) == "MissingParameter"


def test_a_batch_that_is_refused_changes_nothing(domains: Domains) -> None:
    """One item that is too large keeps the others of its batch out."""
    domains.put("dom", "full", [Put("a", f"{number}") for number in range(256)])
    batch = [("fits", [Put("a", "1")]), ("full", [Put("b", "1")])]
    assert code_of(lambda: domains.batch_put("dom", batch)) == "NumberItemAttributesExceeded"
    assert domains.get("dom", "fits") == {}


def test_metadata_counts_items_names_and_values(domains: Domains) -> None:
    """Sizes are of bytes; a name counts once in a domain, a value each time."""
    domains.put("dom", "é", [Put("a", "é"), Put("long", "1")])
    assert domains.metadata("dom") == Metadata(
        item_count=2,
        item_names_size_bytes=6,
        attribute_name_count=3,
        attribute_names_size_bytes=6,
        attribute_value_count=5,
        attribute_values_size_bytes=6,
    )


def test_select_finds_in_the_domain_that_it_names(domains: Domains) -> None:
    """A select goes to its domain and pages through it with its token."""
    domains.put("dom", "other", [Put("a", "1")])
    first = domains.select("select a from dom where a = '1' limit 1")
    second = domains.select("select a from dom where a = '1' limit 1", first.next_token)
    assert first.items == (("item", {"a": ("1",)}),)
    assert second.items == (("other", {"a": ("1",)}),)


Names = st.sampled_from(["a", "b"])
Values = st.sampled_from(["1", "2", "3"])
Changes = st.one_of(
    st.lists(st.builds(Put, Names, Values, st.booleans()), min_size=1, max_size=4),
    st.lists(st.builds(Removal, Names, st.none() | Values), max_size=3),
)


@given(st.lists(Changes, max_size=8))
def test_any_changes_do_to_an_item_what_they_do_to_sets(changes: list[list[Put | Removal]]) -> None:
    """After any puts and deletions an item is what plain sets say, and never an empty one."""
    domains = Domains()
    domains.create("dom")
    model: dict[str, set[str]] = {}
    for change in changes:
        puts = [one for one in change if isinstance(one, Put)]
        removals = [one for one in change if isinstance(one, Removal)]
        if puts:
            domains.put("dom", "item", puts)
        else:
            domains.delete_attributes("dom", "item", removals)
        _apply(model, puts, removals)
    wanted = {name: tuple(sorted(values)) for name, values in model.items() if values}
    assert domains.get("dom", "item") == wanted
    assert domains.metadata("dom").item_count == bool(wanted)


def _apply(model: dict[str, set[str]], puts: list[Put], removals: list[Removal]) -> None:
    for put in puts:
        if put.replace:
            model.pop(put.name, None)
    for put in puts:
        model.setdefault(put.name, set()).add(put.value)
    for removal in removals:
        values = model.get(removal.name, set())
        values -= values.copy() if removal.value is None else {removal.value}
    if not puts and not removals:
        model.clear()
