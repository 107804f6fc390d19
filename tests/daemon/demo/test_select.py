"""SimpleDB's select language: parsing, conditions and pages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botod.daemon.demo.conditions import Attributes
from botod.daemon.demo.errors import Refused
from botod.daemon.demo.paging import MAX_PAGE_BYTES, page
from botod.daemon.demo.select import MAX_NESTING, Order, Output, parse
from botod.daemon.demo.tokens import KEYWORDS, quoted_name, quoted_text

BIRDS: dict[str, Attributes] = {
    "crow": {"colour": ("black",), "food": ("corn", "meat"), "size": ("050",)},
    "duck": {"colour": ("brown", "green"), "food": ("grass",), "size": ("055",)},
    "kiwi": {"colour": ("brown",), "food": ("worms",)},
    "swan": {"colour": ("white",), "food": ("grass",), "size": ("150",), "odd-name": ("x",)},
}

Characters = st.one_of(st.sampled_from("`'\"\\% a"), st.characters(exclude_categories=["Cs"]))
Texts = st.text(Characters, max_size=20)


def found(where: str) -> list[str]:
    """The birds that satisfy a condition."""
    return [name for name, _ in page(parse(f"select * from birds where {where}"), BIRDS).items]


def listed(expression: str) -> list[str]:
    """The birds that a whole expression finds, in its order."""
    return [name for name, _ in page(parse(expression), BIRDS).items]


def refusal(expression: str) -> Refused:
    """What the parser says against an expression."""
    with pytest.raises(Refused) as caught:
        parse(expression)
    return caught.value


@pytest.mark.parametrize(
    ("where", "names"),
    [
        ("colour = 'brown'", ["duck", "kiwi"]),
        ('colour = "brown"', ["duck", "kiwi"]),
        ("colour != 'brown'", ["crow", "duck", "swan"]),
        ("size > '050'", ["duck", "swan"]),
        ("size >= '050'", ["crow", "duck", "swan"]),
        ("size < '055'", ["crow"]),
        ("size <= '055'", ["crow", "duck"]),
        ("size between '050' and '055'", ["crow", "duck"]),
        ("size between '050' and '060' and food = 'meat'", ["crow"]),
        ("food in ('meat', 'worms')", ["crow", "kiwi"]),
        ("colour like 'b%'", ["crow", "duck", "kiwi"]),
        ("colour like '%n'", ["duck", "kiwi"]),
        ("colour like '%ac%'", ["crow"]),
        ("colour like '%'", ["crow", "duck", "kiwi", "swan"]),
        ("colour like 'white'", ["swan"]),
        ("colour not like 'b%'", ["duck", "swan"]),
        ("size is null", ["kiwi"]),
        ("size is not null", ["crow", "duck", "swan"]),
        ("itemName() = 'kiwi'", ["kiwi"]),
        ("itemname() > 'duck'", ["kiwi", "swan"]),
        ("itemName() in ('swan', 'crow')", ["crow", "swan"]),
        ("`odd-name` = 'x'", ["swan"]),
        ("nothing = 'x'", []),
        ("SIZE = '050'", []),
        ("not colour = 'brown'", ["crow", "swan"]),
        ("not (colour = 'brown' or colour = 'white')", ["crow"]),
        ("COLOUR is null AND Size IS NULL", ["crow", "duck", "kiwi", "swan"]),
    ],
)
def test_each_operator_finds_what_it_should(where: str, names: list[str]) -> None:
    """Each operator holds for an item if any of the attribute's values satisfies it."""
    assert found(where) == names


@pytest.mark.parametrize(
    ("where", "names"),
    [
        ("colour = 'brown' and colour = 'green'", []),
        ("colour = 'brown' intersection colour = 'green'", ["duck"]),
        ("(colour = 'brown' intersection colour = 'green') and colour like 'b%'", ["duck"]),
        ("colour > 'brown' and colour < 'white'", ["duck"]),
        ("food > 'corn' and food < 'grass'", []),
        ("food = 'corn' and size = '050' and food = 'meat'", ["crow"]),
        ("food = 'corn' and food = 'meat' and size = '050'", []),
        ("food = 'corn' or food = 'grass'", ["crow", "duck", "swan"]),
        ("every(colour) = 'brown'", ["kiwi"]),
        ("every(food) in ('corn', 'meat')", ["crow"]),
        ("every(colour) != 'brown'", ["crow", "swan"]),
        ("every(size) > '000'", ["crow", "duck", "swan"]),
        ("every(colour) = 'brown' or every(colour) = 'green'", ["duck", "kiwi"]),
        ("every(colour) = 'white' or size = '050'", ["crow", "swan"]),
    ],
)
def test_several_values_are_looked_at_one_by_one(where: str, names: list[str]) -> None:
    """`and` over one attribute asks for one value to satisfy it all; `intersection` does not."""
    assert found(where) == names


@pytest.mark.parametrize(
    ("where", "names"),
    [
        ("size = '050' or food = 'grass' and colour = 'white'", ["crow", "swan"]),
        ("(size = '050' or food = 'grass') and colour = 'white'", ["swan"]),
        ("size = '050' or food = 'grass' intersection colour = 'white'", ["swan"]),
        ("not food = 'grass' and colour = 'brown'", ["kiwi"]),
        ("not (food = 'grass' and colour = 'brown')", ["crow", "kiwi", "swan"]),
        ("not not colour = 'white'", ["swan"]),
    ],
)
def test_operators_bind_in_order(where: str, names: list[str]) -> None:
    """`not` binds closest, then `and`, `or` and `intersection`; parentheses bind closer still."""
    assert found(where) == names


@pytest.mark.parametrize(
    ("pattern", "matching"),
    [(r"100\%", ["b"]), (r"%\%", ["b"]), (r"100%", ["a", "b"]), (r"a\\b", ["c"]), (r"a\b", ["c"])],
)
def test_a_backslash_takes_a_per_cent_sign_literally(pattern: str, matching: list[str]) -> None:
    """In a pattern a backslash makes a per cent sign, or a backslash, one to be found."""
    items: dict[str, Attributes] = {"a": {"v": ("1000",)}, "b": {"v": ("100%",)}}
    items["c"] = {"v": (r"a\b",)}
    names = [
        name for name, _ in page(parse(f"select * from d where v like '{pattern}'"), items).items
    ]
    assert names == matching


def test_outputs_are_everything_names_counts_or_some_attributes() -> None:
    """The output list says what is shown of the items found."""
    where = "from birds where itemName() = 'crow'"
    shown = {
        output: page(parse(f"select {output} {where}"), BIRDS).items
        for output in ("*", "itemName()", "count(*)", "food, `size`, none")
    }
    assert shown == {
        "*": (("crow", BIRDS["crow"]),),
        "itemName()": (("crow", {}),),
        "count(*)": (("Domain", {"Count": ("1",)}),),
        "food, `size`, none": (("crow", {"food": ("corn", "meat"), "size": ("050",)}),),
    }


def test_order_is_lexicographical_and_by_the_least_value() -> None:
    """Items are sorted by an attribute or by name, up or down; those without it are left out."""
    expression = "select * from birds where colour is not null order by colour"
    assert listed(expression) == ["crow", "duck", "kiwi", "swan"]
    assert listed(f"{expression} desc") == ["swan", "kiwi", "duck", "crow"]
    assert listed(f"{expression} asc limit 1") == ["crow"]
    by_name = "select * from birds where itemName() is not null order by itemName() desc"
    assert listed(by_name) == ["swan", "kiwi", "duck", "crow"]
    either = "select * from birds where size > '0' or colour = 'brown' order by size desc"
    assert listed(either) == ["swan", "duck", "crow"]


@pytest.mark.parametrize(
    "rest",
    [
        "order by size",
        "where colour = 'x' order by size",
        "where size is null order by size",
        "where size = '1' order by itemName()",
    ],
)
def test_what_is_sorted_by_has_to_be_constrained(rest: str) -> None:
    """Sorting by what no predicate asks to be there is an InvalidSortExpression."""
    assert refusal(f"select * from birds {rest}").code == "InvalidSortExpression"


def test_a_parsed_expression_says_what_it_is() -> None:
    """Names, output, order and limit come out of the text, whatever the case of its keywords."""
    select = parse('SELECT a,`b c` FROM `x-y` WHERE a = "q""q" ORDER BY a DESC LIMIT 7')
    assert (select.output, select.attributes) == (Output.ATTRIBUTES, ("a", "b c"))
    assert (select.domain, select.limit) == ("x-y", 7)
    assert select.order == Order("a", descending=True)


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("", "expected 'select' at position 0, found the end"),
        ("update x", "expected 'select' at position 0, found 'update'"),
        ("select from x", "expected *, itemName(), count(*) or attributes at position 7"),
        ("select * from", "expected the name of a domain at position 13, found the end"),
        ("select * from 1x", "expected the name of a domain at position 14, found '1'"),
        ("select * from like", "expected the name of a domain at position 14, found 'like'"),
        ("select * from x-y", "expected a word, a name, a constant or an operator at position 15"),
        ("select * from x where", "expected the name of an attribute at position 21"),
        ("select * from x where a", "expected an operator at position 23, found the end"),
        ("select * from x where a = b", "expected a constant in quotes at position 26"),
        ("select * from x where a = 1", "expected a constant in quotes at position 26"),
        ("select * from x where a = 'b", "constant or an operator at position 26"),
        ("select * from x where `a = 'b'", "constant or an operator at position 22"),
        ("select * from x where a in ()", "expected a constant in quotes at position 28"),
        ("select * from x where a in ('b'", "expected ')' at position 31, found the end"),
        ("select * from x where a between 'b' or 'c'", "expected 'and' at position 36"),
        ("select * from x where a is 'b'", "expected 'null' at position 27"),
        ("select * from x where a not in ('b')", "expected 'like' at position 28"),
        ("select * from x where a like 'b%c'", "expected % only at the start and at the end"),
        ("select * from x where (a = 'b'", "expected ')' at position 30, found the end"),
        ("select * from x where a = 'b' and", "expected the name of an attribute at position 33"),
        ("select * from x where every(a = 'b'", "expected ')' at position 30, found '='"),
        ("select * from x where every a = 'b'", "expected the name of an attribute at position 22"),
        ("select itemName(a) from x", "expected ')' at position 16, found 'a'"),
        ("select count(a) from x", "expected '*' at position 13, found 'a'"),
        ("select * from x limit", "expected a number at position 21"),
        ("select * from x limit 0", "expected a limit from 1 to 2500 at position 22, found '0'"),
        ("select * from x limit 2501", "expected a limit from 1 to 2500"),
        (f"select * from x limit {'9' * 5000}", "expected a limit from 1 to 2500"),
        ("select * from x order a", "expected 'by' at position 22"),
        ("select * from x limit 1 x", "expected the end at position 24, found 'x'"),
    ],
)
def test_a_wrong_expression_is_told_where_and_what_was_expected(expression: str, said: str) -> None:
    """An InvalidQueryExpression names the position and what could have stood there."""
    error = refusal(expression)
    assert error.code == "InvalidQueryExpression"
    assert said in error.message


def test_expressions_are_bounded() -> None:
    """Comparisons, values of one `in`, attributes asked for and nesting each have a bound."""
    within = " or ".join(["a = 'b'"] * 20)
    parse(f"select * from x where {within}")
    too_many = f"select * from x where {within} or a = 'b'"
    assert refusal(too_many).code == "InvalidNumberPredicates"
    values = ",".join(["'b'"] * 21)
    assert refusal(f"select * from x where a in ({values})").code == "InvalidNumberValueTests"
    names = ",".join(f"a{number}" for number in range(21))
    assert refusal(f"select {names} from x").code == "TooManyRequestedAttributes"
    deep = "select * from x where " + "(" * MAX_NESTING + "a = 'b'" + ")" * MAX_NESTING
    assert f"at most {MAX_NESTING} levels" in refusal(deep).message
    assert (
        f"at most {MAX_NESTING} levels" in refusal(f"select * from x where {'not ' * 9999}").message
    )


def many(number: int) -> dict[str, Attributes]:
    """Items that are sorted the other way by their attribute than by their name."""
    return {f"item{i:04}": {"a": (f"{number - i:04}", "z")} for i in range(number)}


@pytest.mark.parametrize(
    ("rest", "sizes"),
    [
        ("", [100, 100, 50]),
        ("limit 120", [120, 120, 10]),
        ("where a > '0' order by a limit 125", [125, 125]),
        ("where a > '0' order by a desc limit 200", [200, 50]),
        ("limit 250", [250]),
    ],
)
def test_pages_follow_each_other_without_gap_or_repetition(rest: str, sizes: list[int]) -> None:
    """The pages have the limit's size and together give every item once, in order."""
    items = many(250)
    select = parse(f"select itemName() from x {rest}")
    pages = [page(select, items)]
    while pages[-1].next_token:
        pages.append(page(select, items, pages[-1].next_token))
    names = [name for one in pages for name, _ in one.items]
    assert [len(one.items) for one in pages] == sizes
    by_attribute_upwards = "order by a" in rest and "desc" not in rest
    assert names == sorted(items, reverse=by_attribute_upwards)


def test_a_page_goes_on_after_its_last_item_even_if_that_is_gone() -> None:
    """Items that are deleted or added between two pages neither hide nor repeat others."""
    items = many(5)
    select = parse("select itemName() from x limit 2")
    token = page(select, items).next_token
    del items["item0001"]
    items["item0000-and-a-half"] = {}
    assert [name for name, _ in page(select, items, token).items] == ["item0002", "item0003"]


def test_a_page_is_bounded_in_bytes() -> None:
    """What does not fit into one answer comes with the next page, at least one item a page."""
    big: Attributes = {"a": ("x" * (MAX_PAGE_BYTES * 2 // 5),)}
    items = dict.fromkeys(["i1", "i2", "i3"], big)
    select = parse("select * from x")
    first = page(select, items)
    assert [name for name, _ in first.items] == ["i1", "i2"]
    assert [name for name, _ in page(select, items, first.next_token).items] == ["i3"]
    huge: dict[str, Attributes] = {"i1": {"a": ("x" * (2 * MAX_PAGE_BYTES),)}}
    assert len(page(select, huge).items) == 1


def test_a_count_counts_everything_or_up_to_its_limit() -> None:
    """Without a limit count(*) is of all items; with one it goes on with the token."""
    items = many(250)
    assert page(parse("select count(*) from x"), items).items[0][1] == {"Count": ("250",)}
    limited = parse("select count(*) from x limit 200")
    first = page(limited, items)
    second = page(limited, items, first.next_token)
    assert (first.items[0][1], second.items[0][1]) == ({"Count": ("200",)}, {"Count": ("50",)})
    assert not second.next_token
    assert page(parse("select count(*) from x"), {}).items == (("Domain", {"Count": ("0",)}),)


@given(st.one_of(Texts, st.binary(max_size=30).map(lambda raw: raw.decode("latin-1"))))
def test_a_token_that_is_none_is_refused(token: str) -> None:
    """Whatever is sent as a token and did not come from a page is an InvalidNextToken."""
    if token:
        with pytest.raises(Refused, match="next token is not valid"):
            page(parse("select * from x"), BIRDS, token)


def test_a_token_of_another_expression_is_refused() -> None:
    """A token goes on with the expression that it came from, and no other."""
    token = page(parse("select * from x limit 1"), BIRDS).next_token
    with pytest.raises(Refused, match="next token is not valid"):
        page(parse("select * from x limit 2"), BIRDS, token)


@given(Texts, Texts.filter(bool), Texts)
def test_quoted_names_and_constants_come_back(domain: str, attribute: str, value: str) -> None:
    """Any text survives quoting, as a name and as a constant, in single and in double quotes."""
    doubled = '"' + value.replace('"', '""') + '"'
    for constant in (quoted_text(value), doubled):
        select = parse(
            f"select {quoted_name(attribute)} from {quoted_name(domain)} "
            f"where {quoted_name(attribute)} = {constant}"
        )
        assert (select.domain, select.attributes) == (domain, (attribute,))
        assert page(select, {"i": {attribute: (value,)}}).items
        assert not page(select, {"i": {attribute: (value + "x",)}}).items


Words = st.sampled_from([
    *sorted(KEYWORDS), "*", "(", ")", ",", "=", "!=", "<", ">=", "a", "`b`", "'c%'", '"d"', "7",
    "itemName()", "count(*)", "every(", "select * from a where", "order by a",
])  # fmt: skip


@given(st.one_of(Texts, st.lists(Words, max_size=25).map(" ".join)))
def test_the_parser_raises_nothing_but_its_own_error(text: str) -> None:
    """Any text is either a select that runs, or Refused."""
    try:
        select = parse(text)
    except Refused:
        return
    page(select, BIRDS)


@given(Texts, Texts)
def test_comparison_is_that_of_the_bytes(value: str, other: str) -> None:
    """Values are ordered as their bytes in UTF-8 are."""
    select = parse(f"select * from x where a < {quoted_text(other)}")
    matches = bool(page(select, {"i": {"a": (value,)}}).items)
    assert matches == (value.encode() < other.encode())
