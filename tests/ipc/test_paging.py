"""Pages of a listing, against a listing that is made up."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botod.ipc.paging import PAGED, Pages, paging_of
from support.wire import UNHURRIED

KEYS = paging_of("s3", "list_objects_v2")
SELECT = paging_of("sdb", "select")


class Listing:
    """A service that lists so many things, in pages of at most `most`."""

    def __init__(self, things: int, most: int) -> None:
        self._things = [f"thing {number}" for number in range(things)]
        self._most = most
        self.asked: list[dict[str, Any]] = []

    def __call__(self, **params: Any) -> dict[str, Any]:
        self.asked.append(params)
        at = int(params.get(KEYS.ask, "at 0").removeprefix("at "))
        end = at + min(self._most, params.get(KEYS.size, self._most))
        page: dict[str, Any] = {KEYS.items: self._things[at:end], "KeyCount": end - at}
        if end < len(self._things):
            page[KEYS.answer] = f"at {end}"
        return page


def read(listing: Listing, **config: Any) -> list[dict[str, Any]]:
    """All pages of it."""
    pages = Pages(KEYS, {"Bucket": "b"}, config)
    out = []
    while pages.params is not None:
        out.append(pages.took(listing(**pages.params)))
    return out


def items(pages: list[dict[str, Any]]) -> list[str]:
    """All that is on them."""
    return [item for page in pages for item in page[KEYS.items]]


@UNHURRIED
@given(
    things=st.integers(0, 30),
    most=st.integers(1, 7),
    limit=st.none() | st.integers(0, 40),
    size=st.none() | st.integers(1, 9),
    start=st.none() | st.integers(0, 30),
)
def test_what_is_listed_comes_once_and_in_order(
    things: int, most: int, limit: int | None, size: int | None, start: int | None
) -> None:
    """From where one starts, as many as one asks for; no page is asked for that is not needed."""
    listing = Listing(things, most)
    token = None if start is None else f"at {start}"
    pages = read(listing, MaxItems=limit, PageSize=size, StartingToken=token)
    expected = [f"thing {number}" for number in range(start or 0, things)][:limit]
    assert items(pages) == expected
    a_page = min(most, size or most)
    needed = max(1, -(-len(expected) // a_page))
    assert len(listing.asked) == (0 if limit == 0 else needed)
    assert all(asked["Bucket"] == "b" for asked in listing.asked)
    assert all(asked.get(KEYS.size) == size for asked in listing.asked)


def test_a_page_that_is_cut_is_a_copy() -> None:
    """What the service answered is not changed under whoever has it; the rest of it stays."""
    pages = Pages(KEYS, {}, {"MaxItems": 1})
    answer = {KEYS.items: ["a", "b"], "KeyCount": 2}
    assert pages.took(answer) == {KEYS.items: ["a"], "KeyCount": 2}
    assert answer[KEYS.items] == ["a", "b"]


def test_an_empty_page_is_not_the_last() -> None:
    """SimpleDB's select answers with a token and nothing else while it looks."""
    pages = Pages(SELECT, {}, {"MaxItems": 1})
    pages.took({"NextToken": "t"})
    assert pages.params == {"NextToken": "t"}
    pages.took({"Items": [1]})
    assert pages.params is None


def test_a_token_that_comes_twice_is_an_error() -> None:
    """One would go round for ever."""
    pages = Pages(KEYS, {}, None)
    pages.took({KEYS.answer: "same"})
    with pytest.raises(ValueError, match="came twice: 'same'"):
        pages.took({KEYS.answer: "same"})


def test_the_callers_params_stay_as_they_are() -> None:
    """They may be used for another listing."""
    params = {"Bucket": "b"}
    pages = Pages(KEYS, params, {"PageSize": 5, "StartingToken": "t"})
    pages.took({KEYS.answer: "u"})
    assert params == {"Bucket": "b"}
    assert pages.params == {"Bucket": "b", "MaxKeys": 5, "ContinuationToken": "u"}


def test_what_cannot_be_configured_is_refused() -> None:
    """By name; a size of pages where AWS has none too."""
    with pytest.raises(ValueError, match=r"no \['Max', 'Page'\]"):
        Pages(KEYS, {}, {"Page": 1, "Max": 1})
    with pytest.raises(ValueError, match="cannot be set"):
        Pages(SELECT, {}, {"PageSize": 5})


def test_what_does_not_page_is_refused() -> None:
    """The error lists what does, of the same service."""
    with pytest.raises(ValueError, match="of sdb: list_domains, select"):
        paging_of("sdb", "get_attributes")
    with pytest.raises(ValueError, match="of sns: none"):
        paging_of("sns", "publish")


def test_all_pages_as_one() -> None:
    """Every item of every page, and of pages that have none."""
    pages = Pages(KEYS, {}, None)
    assert pages.gathered([{KEYS.items: [1]}, {}, {KEYS.items: [2, 3]}]) == {KEYS.items: [1, 2, 3]}


@pytest.mark.parametrize("name", PAGED)
def test_each_of_them_goes_on_by_its_own_token(name: tuple[str, str]) -> None:
    """What a page answers is what the next one asks with."""
    paging = PAGED[name]
    pages = Pages(paging, {}, None)
    pages.took({paging.answer: "t", paging.items: [1]})
    assert pages.params == {paging.ask: "t"}
