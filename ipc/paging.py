"""Which operations answer in pages, and how one asks for the next. No I/O: both clients use it."""

from __future__ import annotations

from botod.ipc.tuples import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


class Paging(NamedTuple):
    """How one operation pages: names in params and in results."""

    ask: str
    answer: str
    items: str
    size: str


PAGED: Mapping[tuple[str, str], Paging] = {
    ("s3", "list_objects_v2"): Paging(
        "ContinuationToken", "NextContinuationToken", "Contents", "MaxKeys"
    ),
    ("sqs", "list_queues"): Paging("NextToken", "NextToken", "QueueUrls", "MaxResults"),
    ("sdb", "list_domains"): Paging("NextToken", "NextToken", "DomainNames", "MaxNumberOfDomains"),
    ("sdb", "select"): Paging("NextToken", "NextToken", "Items", ""),
}

CONFIG_KEYS = frozenset({"MaxItems", "PageSize", "StartingToken"})


def paging_of(service: str, operation: str) -> Paging:
    """Raises ValueError if it does not page."""
    paging = PAGED.get((service, operation))
    if paging is None:
        names = ", ".join(name for one, name in PAGED if one == service) or "none"
        raise ValueError(f"{service}.{operation} does not answer in pages; of {service}: {names}")
    return paging


class Pages:
    """The pages of one listing: `params` of the next, until `took` has seen the last.

    config: boto3's PaginationConfig: MaxItems, PageSize, StartingToken.
    """

    def __init__(
        self, paging: Paging, params: Mapping[str, Any], config: Mapping[str, Any] | None
    ) -> None:
        config = config or {}
        unknown = sorted(config.keys() - CONFIG_KEYS)
        if unknown:
            raise ValueError(f"PaginationConfig has {', '.join(sorted(CONFIG_KEYS))}; no {unknown}")
        self.params: dict[str, Any] | None = dict(params)
        self._paging = paging
        self._left: int | None = config.get("MaxItems")
        if config.get("PageSize") is not None:
            if not paging.size:
                raise ValueError("the size of this operation's pages cannot be set")
            self.params[paging.size] = config["PageSize"]
        if config.get("StartingToken") is not None:
            self.params[paging.ask] = config["StartingToken"]
        if self._left == 0:
            self.params = None

    def took(self, page: dict[str, Any]) -> dict[str, Any]:
        """A page as it is handed on. Raises ValueError if the service says the same token twice."""
        assert self.params is not None, "a page after the last"
        token = page.get(self._paging.answer)
        if token is not None and token == self.params.get(self._paging.ask):
            raise ValueError(f"the same {self._paging.answer} came twice: {token!r}")
        if self._left is not None:
            items = page.get(self._paging.items, [])[: self._left]
            self._left -= len(items)
            page = {**page, self._paging.items: items}
        self.params = (
            {**self.params, self._paging.ask: token} if token and self._left != 0 else None
        )
        return page

    def gathered(self, pages: list[dict[str, Any]]) -> dict[str, Any]:
        """boto3's `build_full_result`: all items in one result."""
        return {self._paging.items: [i for page in pages for i in page.get(self._paging.items, [])]}
